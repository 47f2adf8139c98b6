-- Subscriptions: who wants to hear of what, which events each has, and how far it was told.
create schema subscription;

create table subscription.state (
  tenant        smallint    not null,
  id            text        collate "C" not null,
  revision      int         not null,
  asked         text        not null,
  status        text        not null check (status in ('requested', 'active', 'error', 'off')),
  topic         text        not null,
  channel       text        not null check (channel in ('rest-hook', 'websocket', 'email')),
  host          text        not null default '',
  heartbeat_seconds int     not null default 0,
  ends          timestamptz,
  owner_kind    text        not null,
  owner_id      text        not null,
  owner_name    text        not null,
  owner_login   text,
  owner_scopes  text[]      not null,
  owner_establishment text,
  greeted       boolean     not null default false,
  events        bigint      not null default 0,
  delivered     bigint      not null default 0,
  sending       bigint      not null default 0,
  failures      int         not null default 0,
  failing_since timestamptz,
  last_error    text,
  contacted     timestamptz,
  next_at       timestamptz not null,
  lease_by      int,
  primary key (tenant, id)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 200);
comment on table subscription.state is
  'Each Subscription: what was asked (with its secrets), by whom, how many events, how far told';
comment on column subscription.state.asked is
  'The Subscription as its owner sent it; the resource shows the same with its secrets masked';
comment on column subscription.state.host is 'Receivers on one host are limited together';
comment on column subscription.state.events is 'Number of the last event; numbers are never reused';
comment on column subscription.state.delivered is 'Number of the last event the receiver took';
comment on column subscription.state.sending is
  'Last number of the notification under way, so that a repetition holds the same events';
comment on column subscription.state.lease_by is
  'The process that serves it now; its advisory lock (7212, number) says whether it lives';

-- One row for each event of each subscription; kept for some days so that a receiver can ask again.
create table subscription.event (
  tenant       smallint    not null,
  subscription text        collate "C" not null,
  number       bigint      not null,
  at           timestamptz not null,
  action       text        not null check (action in ('create', 'update', 'delete')),
  type         text        collate "C" not null,
  id           text        collate "C" not null,
  version      int         not null,
  patient      text        collate "C",
  primary key (tenant, subscription, number)
);
create index event_age on subscription.event (tenant, at);

-- How far the change feed has been turned into events. Locked while it is being done.
create table subscription.place (
  tenant   smallint not null primary key,
  position bigint   not null
);

-- Tokens that open the WebSocket channel; only their SHA-256 is kept.
create table subscription.binding (
  tenant        smallint    not null,
  token         bytea       not null,
  subscriptions text[]      not null,
  owner_id      text        not null,
  expires       timestamptz not null,
  primary key (tenant, token)
);

alter table subscription.state enable row level security;
create policy tenant on subscription.state
  using (tenant = current_setting('liane.tenant')::smallint);
alter table subscription.event enable row level security;
create policy tenant on subscription.event
  using (tenant = current_setting('liane.tenant')::smallint);
alter table subscription.place enable row level security;
create policy tenant on subscription.place
  using (tenant = current_setting('liane.tenant')::smallint);
alter table subscription.binding enable row level security;
create policy tenant on subscription.binding
  using (tenant = current_setting('liane.tenant')::smallint);
