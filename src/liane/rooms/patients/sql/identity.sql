-- name: lock_and_find
-- Make messages about the same numbers wait for one another, then say whom the numbers name.
select rank, system, value, patient, type, use, source, status, traits_at, heard, retired_into, body
from patients.lock_and_find($1::text[], $2::text[])

-- name: find
-- Whom exact numbers name, in the order of the numbers; merged identities lead to the survivor.
select rank, system, coalesce(retired_into, patient) as patient, use, ins
from patients.find_and_hold($1::text[], $2::text[]) as f(
  rank bigint, system text, value text, patient text, type text, use text, ins text,
  source text, status text, traits_at timestamptz, heard jsonb, retired_into text)

-- name: index_patients
-- Keep the search rows and the numbers of these patients in step with their resources.
with said as (
  select * from jsonb_to_recordset($2::jsonb) as r(
    patient text, birth_name text, used_name text, given text, used_given text, birth_date text,
    sex text, birth_place text, status text, attributes text[], protected boolean,
    deceased boolean, ins text, ipps text[], names text, sounds text[], source text,
    traits_at timestamptz, heard jsonb, numbers jsonb)
), numbers as (
  select s.patient, n.* from said s,
    jsonb_to_recordset(s.numbers) as n(system text, value text, type text, use text)
), rows as (
  insert into patients.index as x
    (tenant, patient, birth_name, used_name, given, used_given, birth_date, sex, birth_place,
     status, attributes, protected, deceased, ins, ipps, names, sounds, source, traits_at, heard)
  select $1, patient, birth_name, used_name, given, used_given, birth_date, sex, birth_place,
     status, attributes, protected, deceased, ins, ipps, names, sounds, coalesce(source, ''),
     coalesce(traits_at, 'epoch'), coalesce(heard, '{}')
  from said
  on conflict (tenant, patient) do update set
    birth_name = excluded.birth_name, used_name = excluded.used_name, given = excluded.given,
    used_given = excluded.used_given, birth_date = excluded.birth_date, sex = excluded.sex,
    birth_place = excluded.birth_place, status = excluded.status,
    attributes = excluded.attributes, protected = excluded.protected,
    deceased = excluded.deceased, ins = excluded.ins, ipps = excluded.ipps,
    names = excluded.names, sounds = excluded.sounds,
    source = case when excluded.source = '' then x.source else excluded.source end,
    traits_at = greatest(x.traits_at, excluded.traits_at), heard = x.heard || excluded.heard
), gone as (
  delete from patients.identifier i using said s
  where i.tenant = $1 and i.patient = s.patient
    and not exists (select from numbers n
                    where n.patient = i.patient and n.system = i.system and n.value = i.value)
)
insert into patients.identifier as i (tenant, system, value, patient, type, use)
select $1, system, value, patient, type, use from numbers
on conflict (tenant, system, value, patient) do update set type = excluded.type, use = excluded.use
where (i.type, i.use) is distinct from (excluded.type, excluded.use)

-- name: heard
-- Remember what a source said, when, and whose traits we hold.
update patients.index set
  heard = heard || $3::jsonb, traits_at = greatest(traits_at, coalesce($4, traits_at)),
  source = case when $5 = '' then source else $5 end
where tenant = $1 and patient = $2

-- name: keep_discrepancy
-- One open line per patient, trait, source and proposed value, however often it is repeated.
insert into patients.discrepancy (tenant, id, patient, trait, kept, proposed, source, at)
values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict (tenant, patient, trait, proposed, source) where settled_at is null do nothing

-- name: settle_discrepancy
update patients.discrepancy set settled_at = $3, settled_by = $4
where tenant = $1 and id = $2 and settled_at is null
returning patient, trait, proposed, source

-- name: discrepancies
-- What other sources say differently of this identity, still open.
select id, trait, kept, proposed, source, at from patients.discrepancy
where tenant = $1 and patient = $2 and settled_at is null
order by at

-- name: declare_distinct
insert into patients.not_duplicate (tenant, a, b, at, by) values ($1, $2, $3, $4, $5)
on conflict do nothing

-- name: forget_patients
-- A deleted Patient is no longer found by search or by number.
with numbers as (
  delete from patients.identifier where tenant = $1 and patient = any($2::text[])
)
delete from patients.index where tenant = $1 and patient = any($2::text[])
