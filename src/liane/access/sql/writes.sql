-- name: follow_protection
-- Protected identities are few: most calls delete nothing and insert nothing.
with opened as (
  delete from access.protected_patient where tenant = $1 and patient = any($3::text[])
)
insert into access.protected_patient (tenant, patient)
select $1, unnest($2::text[])
on conflict do nothing
