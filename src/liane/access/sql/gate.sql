-- name: nobody
-- The predicate that lets no row pass.
false

-- name: of_establishments
-- Patients with any tie, present or past, to one of the establishments {1}.
exists (
  select 1 from access.relation gate_tie
  where gate_tie.tenant = current_setting('liane.tenant')::smallint and gate_tie.patient = {patient}
    and gate_tie.establishment = any({1}::text[]))

-- name: of_staff
-- Patients of the units {1}, in the care team of {2}, or within a declared wider scope: clinical
-- roles over the establishments {3} or the group {4}, other roles over {5} or {6} unless the
-- identity is protected.
({4}::boolean
 or exists (
  select 1 from access.relation gate_tie
  where gate_tie.tenant = current_setting('liane.tenant')::smallint and gate_tie.patient = {patient}
    and gate_tie.starts <= now() and (gate_tie.ends is null or gate_tie.ends > now())
    and ((gate_tie.kind = 'care_team' and gate_tie.practitioner = {2}::text)
      or (gate_tie.kind <> 'care_team' and gate_tie.unit = any({1}::text[]))
      or gate_tie.establishment = any({3}::text[])
      or (gate_tie.establishment = any({5}::text[])
          and not exists (select 1 from access.protected_patient gate_wall
                          where gate_wall.tenant = gate_tie.tenant and gate_wall.patient = gate_tie.patient))))
 or ({6}::boolean and not exists (
      select 1 from access.protected_patient gate_wall
      where gate_wall.tenant = current_setting('liane.tenant')::smallint and gate_wall.patient = {patient})))
