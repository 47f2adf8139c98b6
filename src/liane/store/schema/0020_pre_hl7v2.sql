-- What other systems sent in HL7 v2: who they are, every message exactly as it came, its fate.
create schema if not exists hl7v2;

create table hl7v2.partner (
  tenant          smallint    not null,
  id              text        not null,
  name            text        not null,
  allowed         boolean     not null default true,
  addresses       text[]      not null default '{}',
  certificates    text[]      not null default '{}',
  applications    text[]      not null default '{}',
  charset         text        not null default '',
  unknown_patient text        not null default 'hold'
                  check (unknown_patient in ('provisional', 'hold')),
  enhanced        boolean     not null default false,
  language        text        not null default 'fr' check (language in ('fr', 'en')),
  establishment   text        not null default '',
  authorities     jsonb       not null default '{}',
  quiet_minutes   integer     not null default 60,
  updated_at      timestamptz not null default now(),
  primary key (tenant, id)
);
comment on table hl7v2.partner is
  'Systems that may send HL7 v2, and how each is understood (kept on the interfaces page)';
comment on column hl7v2.partner.addresses is
  'IP addresses or networks the system sends from; empty with a certificate: any';
comment on column hl7v2.partner.certificates is
  'SHA-256 of client certificates (hexadecimal); when set, one of them is required';
comment on column hl7v2.partner.applications is 'MSH-3 values accepted; empty: any';
comment on column hl7v2.partner.authorities is
  'Assigning authority as the system writes it -> identifier system, e.g. {"CHU": "urn:oid:..."}';

create table hl7v2.message (
  tenant       smallint    not null,
  id           text        not null,
  partner      text        not null,
  sender       text        not null,
  peer         text        not null default '',
  control_id   text        not null default '',
  sha256       bytea       not null,
  kind         text        not null default '',
  event        text        not null default '',
  received_at  timestamptz not null,
  message_at   timestamptz,
  raw          bytea       not null,
  size         integer     not null,
  batch        text,
  state        text        not null
               check (state in ('pending', 'applied', 'kept', 'held', 'failed', 'refused', 'answer')),
  flags        text[]      not null default '{}',
  reason_code  text        not null default '',
  reason_fr    text        not null default '',
  reason_en    text        not null default '',
  attempts     integer     not null default 0,
  settled_at   timestamptz,
  ack          bytea,
  patient      text,
  resources    text[]      not null default '{}',
  resource_count integer   not null default 0,
  primary key (tenant, id)
);
-- Base64 in messages does not compress well enough to pay for the processor time.
alter table hl7v2.message alter column raw set storage external;
create unique index message_once on hl7v2.message (tenant, sender, control_id, sha256);
create index message_recent on hl7v2.message (tenant, received_at desc);
create index message_of_partner on hl7v2.message (tenant, partner, received_at desc);
create index message_waiting on hl7v2.message (tenant, state, id)
  where state in ('pending', 'held', 'failed');
comment on table hl7v2.message is
  'Every HL7 v2 message received, byte for byte, what became of it, and the answer given';
comment on column hl7v2.message.sender is
  'Partner, application (MSH-3) and facility (MSH-4): with control_id and sha256, the duplicate key';
comment on column hl7v2.message.batch is 'Id of the delivery that held several messages';

alter table hl7v2.partner enable row level security;
create policy tenant on hl7v2.partner
  using (tenant = current_setting('liane.tenant')::smallint);
alter table hl7v2.message enable row level security;
create policy tenant on hl7v2.message
  using (tenant = current_setting('liane.tenant')::smallint);
