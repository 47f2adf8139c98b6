-- name: nobody
-- The predicate that lets no row pass.
false

-- name: of_establishments
-- Patients with any tie, present or past, to one of the establishments {1}.
exists (
  select 1 from access.relation r
  where r.tenant = current_setting('liane.tenant')::smallint and r.patient = {patient}
    and r.establishment = any({1}::text[]))

-- name: of_staff
-- Patients of the units {1}, in the care team of {2}, or within a declared wider scope: clinical
-- roles over the establishments {3} or the group {4}, other roles over {5} or {6} unless the
-- identity is protected.
({4}::boolean
 or exists (
  select 1 from access.relation r
  where r.tenant = current_setting('liane.tenant')::smallint and r.patient = {patient}
    and r.starts <= now() and (r.ends is null or r.ends > now())
    and ((r.kind = 'care_team' and r.practitioner = {2}::text)
      or (r.kind <> 'care_team' and r.unit = any({1}::text[]))
      or r.establishment = any({3}::text[])
      or (r.establishment = any({5}::text[])
          and not exists (select 1 from access.protected_patient p
                          where p.tenant = r.tenant and p.patient = r.patient))))
 or ({6}::boolean and not exists (
      select 1 from access.protected_patient p
      where p.tenant = current_setting('liane.tenant')::smallint and p.patient = {patient})))
