-- name: lock_patients
-- Whoever is filing for these patients ends first; whoever comes later waits for the merge.
select patients.lock_alone($1::text[])

-- name: both
select patient, retired_into from patients.index where tenant = $1 and patient = any($2::text[])

-- name: belongings
-- Everything of one patient's compartment, the Patient itself apart.
select type, id, version, body from record.resource
where tenant = $1 and patient = $2 and type <> 'Patient'
order by type, id

-- name: move_stays
update patients.stay set patient = $3
where tenant = $1 and patient = $2 and ($4::text[] is null or encounter = any($4::text[]))
returning encounter

-- name: retire
-- The retired identity, and those that had been merged into it before, lead to the survivor.
update patients.index set retired_into = $3
where tenant = $1 and (patient = $2 or retired_into = $2)
returning patient

-- name: restore
update patients.index set retired_into = case when patient = $2 then null else $2 end
where tenant = $1 and patient = any($3::text[])

-- name: ties
select encounter, kind, unit, establishment, practitioner, starts, ends from access.relation
where tenant = $1 and patient = $2

-- name: keep_merge
insert into patients.merge
  (tenant, id, survivor, retired, source, said_at, done_at, done_by, snapshot)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb)

-- name: merge_of
select id, survivor, retired, snapshot, undone_at from patients.merge
where tenant = $1 and id = $2
for update

-- name: open_merge
select id from patients.merge
where tenant = $1 and retired = $2 and survivor = $3 and undone_at is null

-- name: later_merges
-- Merges made since that build on this one must be undone first.
select id from patients.merge
where tenant = $1 and undone_at is null and id <> $2 and retired = $3 and done_at >=
  (select done_at from patients.merge where tenant = $1 and id = $2)

-- name: undo
update patients.merge set undone_at = $3, undone_by = $4 where tenant = $1 and id = $2
