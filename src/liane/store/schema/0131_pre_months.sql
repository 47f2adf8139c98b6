-- Old versions and the journal grow for twenty years. Each month lies in a table of its own: what
-- is written now stays small and warm, an old month can be moved to slower disks, or dropped when
-- its time of keeping has passed, without touching the others.

-- Whether an id was used and deleted is asked at each creation with a known id: one probe, whatever
-- the number of months.
create table record.buried (
  tenant smallint not null,
  type text collate "C" not null,
  id text collate "C" not null,
  version int not null,
  primary key (tenant, type, id)
);
comment on table record.buried is 'The last version of what was deleted, to go on counting from';
alter table record.buried enable row level security;
create policy tenant on record.buried
  using (tenant = current_setting('liane.tenant')::smallint);
insert into record.buried (tenant, type, id, version)
select tenant, type, id, max(version) from record.history where deleted group by 1, 2, 3;

alter table record.history rename to history_whole;
alter table record.history_whole rename constraint history_pkey to history_whole_pkey;
drop index record.history_updated, record.history_patient;

create table record.history (
  tenant smallint not null,
  type text collate "C" not null,
  id text collate "C" not null,
  version int not null,
  updated timestamptz not null,
  deleted boolean not null,
  patient text collate "C",
  body text not null,
  primary key (tenant, type, id, version, updated)
) partition by range (updated);
comment on table record.history is
  'Versions that are no longer current, by the month they were written in; a deletion has no body';
create index history_updated on record.history (tenant, updated, type);
create index history_patient on record.history (tenant, patient, updated) where patient is not null;
alter table record.history enable row level security;
create policy tenant on record.history
  using (tenant = current_setting('liane.tenant')::smallint);
create table record.history_other partition of record.history default;

alter table journal.entry rename to entry_whole;
drop index journal.entry_seq, journal.entry_pending, journal.entry_patient, journal.entry_actor;

create table journal.entry (
  like journal.entry_whole including defaults including comments including constraints
) partition by range (at);
comment on table journal.entry is
  'Every access and change: who, when, about whom, why. Append-only; seq is null until sealed';
-- A unique index of a divided table must name what divides it; one sealer at a time numbers, and
-- the verification looks for numbers given twice.
create unique index entry_seq on journal.entry (tenant, seq, at) where seq is not null;
create unique index entry_pending on journal.entry (tenant, id, at) where seq is null;
create index entry_patient on journal.entry (tenant, patient, at) where seq is not null;
create index entry_actor on journal.entry (tenant, actor, at) where seq is not null;
alter table journal.entry enable row level security;
create policy tenant_wall on journal.entry
  using (tenant = current_setting('liane.tenant')::smallint);
create table journal.entry_other partition of journal.entry default;

create trigger only_seal before update on journal.entry
  for each row execute function journal.only_seal();

-- What guards the whole guards each part: nobody goes round it by naming a month.
create function journal.guard(part regclass) returns void language plpgsql as $$
begin
  execute format('create trigger no_delete before delete on %s '
                 'for each statement execute function journal.refuse()', part);
  execute format('create trigger no_truncate before truncate on %s '
                 'for each statement execute function journal.refuse()', part);
end $$;
select journal.guard('journal.entry'), journal.guard('journal.entry_other');

-- Make the tables of a month and of the following ones. Rows of a month that has no table yet go
-- to the table of all others and stay there.
create function record.keep_months(since timestamptz default now(), ahead int default 2)
returns int language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  month timestamp := date_trunc('month', since at time zone 'UTC');
  until timestamp := date_trunc('month', now() at time zone 'UTC') + make_interval(months => ahead);
  parent text; part text; made int := 0;
begin
  perform pg_advisory_xact_lock(7204);
  while month <= until loop
    foreach parent in array array['record.history', 'journal.entry'] loop
      part := parent || to_char(month, '_YYYY_MM');
      continue when to_regclass(part) is not null;
      begin
        execute format(
          'create table %s partition of %s for values from (%L) to (%L)', part, parent,
          to_char(month, 'YYYY-MM-DD') || ' 00:00:00+00',
          to_char(month + interval '1 month', 'YYYY-MM-DD') || ' 00:00:00+00');
      exception when check_violation then
        continue;
      end;
      perform record.close_part(part);
      made := made + 1;
    end loop;
    month := month + interval '1 month';
  end loop;
  return made;
end $$;

-- A part is read and written through the whole only, where the wall between tenants stands.
create function record.close_part(part text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  execute format('alter table %s enable row level security', part);
  execute format('revoke all on %s from public', part);
  if exists (select from pg_roles where rolname = 'liane_app') then
    execute format('revoke all on %s from liane_app', part);
  end if;
  if part like 'journal.%' and part <> 'journal.entry_other' then
    perform journal.guard(part::regclass);
  end if;
end $$;
select record.close_part('record.history_other'), record.close_part('journal.entry_other');

revoke all on function record.keep_months(timestamptz, int) from public;
do $$
begin
  if exists (select from pg_roles where rolname = 'liane_app') then
    grant execute on function record.keep_months(timestamptz, int) to liane_app;
    revoke delete, truncate on journal.entry from liane_app;
    revoke update on journal.entry from liane_app;
    grant update (seq, chain_seq, chain_hash, order_hash, sealed_at) on journal.entry to liane_app;
  end if;
end $$;

select record.keep_months(least(
  (select min(updated) from record.history_whole), (select min(at) from journal.entry_whole), now()));
insert into record.history
  (tenant, type, id, version, updated, deleted, patient, body)
select tenant, type, id, version, updated, deleted, patient, body from record.history_whole;
drop table record.history_whole;
insert into journal.entry select * from journal.entry_whole;
drop table journal.entry_whole;
