-- name: candidates
-- Identities that carry one of the numbers ($5, $6), sound or look alike ($2, $3), or were born the
-- same day ($4); scored by the caller, who adds what the reader may see and the grouping.
select x.patient, x.birth_name, x.used_name, x.given, x.used_given, x.birth_date, x.sex,
       x.birth_place, x.status, x.attributes, x.protected, x.deceased,
       bool_or(f.same_number) as same_number
from (
  select coalesce(o.retired_into, i.patient) as patient, i.use not in ('old', 'temp') as same_number
  from unnest($5::text[], $6::text[]) as n(system, value)
  join patients.identifier i on i.tenant = $1 and i.system = n.system and i.value = n.value
  join patients.index o on o.tenant = $1 and o.patient = i.patient
  union all
  select patient, false from patients.search($2::text[], $3::text[], '{}', '', 200)
  union all
  select patient, false from patients.search('{}', '{}', $4::text[], '', 200)
) f
join patients.index x on x.tenant = $1 and x.patient = f.patient
where x.retired_into is null
