-- Images: which machines may send them, and the index of what they sent. The bytes are blobs; all
-- but the partners, the conflicts and the decisions of people can be recomputed from them.
create schema if not exists imaging;

create table imaging.partner (
  tenant          smallint    not null,
  id              text        not null,
  name            text        not null,
  allowed         boolean     not null default true,
  titles          text[]      not null default '{}',
  called          text[]      not null default '{}',
  addresses       text[]      not null default '{}',
  unknown_patient text        not null default 'hold'
                  check (unknown_patient in ('provisional', 'hold')),
  quarantine      boolean     not null default false,
  establishment   text        not null default '',
  authorities     jsonb       not null default '{}',
  updated_at      timestamptz not null default now(),
  primary key (tenant, id)
);
comment on table imaging.partner is 'Machines that may send images, and how each is understood';
comment on column imaging.partner.titles is 'AE titles the machine calls itself; empty: any';
comment on column imaging.partner.called is 'AE titles it may call us; empty: any of ours';
comment on column imaging.partner.addresses is 'IP addresses or networks it sends from; empty: none';
comment on column imaging.partner.quarantine is
  'Keep objects whose UIDs break the rules under names of ours, instead of refusing them';
comment on column imaging.partner.authorities is
  'Issuer of Patient ID as the machine writes it -> identifier system; "" when it writes none';

create table imaging.study (
  tenant         smallint    not null,
  study_uid      text        not null collate "C",
  id             text        not null,
  patient        text,
  held           text        not null default '',
  identity_key   text        not null default '',
  patient_number text        not null default '',
  issuer         text        not null default '',
  patient_name   text        not null default '',
  birth_date     text        not null default '',
  sex            text        not null default '',
  accession      text        not null default '',
  description    text        not null default '',
  started        text        not null default '',
  started_at     timestamptz,
  institution    text        not null default '',
  establishment  text        not null default '',
  source         text        not null default '',
  modalities     text[]      not null default '{}',
  series_count   integer     not null default 0,
  instance_count integer     not null default 0,
  stale          boolean     not null default true,
  listed         boolean     not null default false,
  thumbnail      text        not null default '',
  thumbnail_of   integer     not null default 0,
  first_at       timestamptz not null,
  last_at        timestamptz not null,
  primary key (tenant, study_uid)
);
create unique index study_id on imaging.study (tenant, id);
create index study_patient on imaging.study (tenant, patient, started_at desc);
create index study_held on imaging.study (tenant, last_at desc) where patient is null;
create index study_stale on imaging.study (tenant, last_at) where stale;
comment on table imaging.study is 'One examination: whose it is, or why it waits for a person';
comment on column imaging.study.held is 'Why it is in no chart yet: a message key, or empty';
comment on column imaging.study.stale is 'The ImagingStudy resource does not yet tell of all images';
comment on column imaging.study.listed is 'The ImagingStudy resource lists every image';

create table imaging.series (
  tenant      smallint not null,
  study_uid   text     not null collate "C",
  series_uid  text     not null collate "C",
  modality    text     not null default '',
  number      integer,
  description text     not null default '',
  body_part   text     not null default '',
  laterality  text     not null default '',
  station     text     not null default '',
  started     text     not null default '',
  primary key (tenant, study_uid, series_uid)
);
comment on table imaging.series is 'One run of images of an examination';

create table imaging.instance (
  tenant          smallint    not null,
  sop_uid         text        not null collate "C",
  sha256          text        not null collate "C",
  study_uid       text        not null collate "C",
  series_uid      text        not null collate "C",
  state           text        not null check (state in ('current', 'conflict')),
  reason          text        not null default '',
  sop_class       text        not null,
  transfer_syntax text        not null,
  number          integer,
  position        double precision,
  rows            integer     not null default 0,
  columns         integer     not null default 0,
  frames          integer     not null default 0,
  photometric     text        not null default '',
  bits            integer     not null default 0,
  size            bigint      not null,
  dataset_offset  integer     not null,
  pixel_offset    bigint,
  pixel_length    bigint,
  fragments       integer,
  given_uid       text        not null default '',
  patient_number  text        not null default '',
  patient_name    text        not null default '',
  birth_date      text        not null default '',
  source          text        not null default '',
  received_at     timestamptz not null,
  primary key (tenant, sop_uid, sha256)
);
create unique index instance_current on imaging.instance (tenant, sop_uid) where state = 'current';
create index instance_series on imaging.instance (tenant, study_uid, series_uid);
create index instance_conflict on imaging.instance (tenant, received_at) where state = 'conflict';
comment on table imaging.instance is
  'One object as received: the blob of that SHA-256 is a DICOM file whose data set is bit for bit what came';
comment on column imaging.instance.pixel_offset is 'Offset of the pixel value in the blob';

alter table imaging.partner enable row level security;
alter table imaging.study enable row level security;
alter table imaging.series enable row level security;
alter table imaging.instance enable row level security;
create policy tenant_wall on imaging.partner
  using (tenant = current_setting('liane.tenant')::smallint);
create policy tenant_wall on imaging.study
  using (tenant = current_setting('liane.tenant')::smallint);
create policy tenant_wall on imaging.series
  using (tenant = current_setting('liane.tenant')::smallint);
create policy tenant_wall on imaging.instance
  using (tenant = current_setting('liane.tenant')::smallint);
