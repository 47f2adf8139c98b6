-- The journal: every access and every change, append-only, sealed into a chain of hashes.
create schema if not exists journal;

create table journal.entry (
  tenant        smallint    not null,
  seq           bigint,                 -- given by the sealer, without holes
  at            timestamptz not null,   -- the instant of the transaction
  actor         text        not null,   -- practitioner, client, partner or part of the platform
  actor_kind    text        not null,
  actor_name    text        not null,
  actor_role    text        not null,   -- roles at that instant, comma-separated
  session       text,
  action        text        not null,
  purpose       text        not null,
  establishment text        not null,   -- the chain this entry belongs to
  patient       text,
  resource      text,
  outcome       text        not null,
  detail        json        not null,   -- exact text, part of the leaf hash; no clinical value
  id            uuid        not null,
  leaf_hash     bytea       not null,   -- SHA-256 of the canonical form of the columns above
  chain_seq     bigint,                 -- position in the chain of the establishment
  chain_hash    bytea,                  -- SHA-256(previous of the chain, chain_seq, leaf)
  order_hash    bytea,                  -- SHA-256(previous of the tenant, seq, sealed_at, chain)
  sealed_at     timestamptz,
  constraint sealed_whole check (
    num_nulls(seq, chain_seq, chain_hash, order_hash, sealed_at) in (0, 5))
) with (fillfactor = 85);

create unique index entry_seq on journal.entry (tenant, seq) where seq is not null;
create unique index entry_pending on journal.entry (tenant, id) where seq is null;
-- Read by people, never by the writers: only sealed rows pay for these.
create index entry_patient on journal.entry (tenant, patient, at) where seq is not null;
create index entry_actor on journal.entry (tenant, actor, at) where seq is not null;
comment on table journal.entry is
  'Every access and change: who, when, about whom, why. Append-only; seq is null until sealed';

alter table journal.entry enable row level security;
create policy tenant_wall on journal.entry
  using (tenant = current_setting('liane.tenant')::smallint);

create table journal.chain (
  tenant        smallint not null,
  establishment text     not null,
  chain_seq     bigint   not null,
  chain_hash    bytea    not null,
  primary key (tenant, establishment)
);
comment on table journal.chain is 'Where the chain of each establishment stands, for the sealer';
alter table journal.chain enable row level security;
create policy tenant_wall on journal.chain
  using (tenant = current_setting('liane.tenant')::smallint);

create function journal.refuse() returns trigger language plpgsql as $$
begin
  raise exception 'the journal is append-only: % refused', tg_op using errcode = '42501';
end $$;

-- The one permitted change: the sealer completes an entry that has no place yet, and nothing else.
create function journal.only_seal() returns trigger language plpgsql as $$
begin
  if old.seq is not null or new.seq is null
     or (old.tenant, old.at, old.actor, old.actor_kind, old.actor_name, old.actor_role,
         old.session, old.action, old.purpose, old.establishment, old.patient, old.resource,
         old.outcome, old.detail::text, old.id, old.leaf_hash)
        is distinct from
        (new.tenant, new.at, new.actor, new.actor_kind, new.actor_name, new.actor_role,
         new.session, new.action, new.purpose, new.establishment, new.patient, new.resource,
         new.outcome, new.detail::text, new.id, new.leaf_hash) then
    raise exception 'the journal is append-only: UPDATE refused' using errcode = '42501';
  end if;
  return new;
end $$;

create trigger only_seal before update on journal.entry
  for each row execute function journal.only_seal();
create trigger no_delete before delete on journal.entry
  for each statement execute function journal.refuse();
create trigger no_truncate before truncate on journal.entry
  for each statement execute function journal.refuse();

-- The application adds and seals entries; it never removes one (the triggers say so to everybody).
do $$
begin
  if exists (select from pg_roles where rolname = 'liane_app') then
    revoke delete, truncate on journal.entry from liane_app;
    revoke update on journal.entry from liane_app;
    grant update (seq, chain_seq, chain_hash, order_hash, sealed_at) on journal.entry to liane_app;
  end if;
end $$;
