-- name: find_people
-- Candidates of a question, the best first; the caller adds what the reader may see.
select x.patient, f.score, x.birth_name, x.used_name, x.given, x.used_given, x.birth_date, x.sex,
       x.status, x.attributes, x.protected, x.deceased, x.ipps, x.birth_place,
       s.unit, coalesce(u.name, s.unit, '') as unit_name, coalesce(b.label, '') as bed,
       s.status as stay_status, s.expected_start
from patients.search($2::text[], $3::text[], $4::text[], $5, $6) as f
join patients.index x on x.tenant = $1 and x.patient = f.patient
left join lateral (
  select unit, bed, status, expected_start from patients.stay s
  where s.tenant = $1 and s.patient = f.patient and s.status in ('in-progress', 'onleave', 'planned')
  order by s.status = 'planned', s.starts desc nulls last limit 1
) s on true
left join patients.unit u on u.tenant = $1 and u.unit = s.unit
left join patients.bed b on b.tenant = $1 and b.location = s.bed

-- name: find_exactly
-- Identities of exactly this number, or whose names hold exactly these words: no sound, no likeness.
select x.patient, x.birth_name, x.used_name, x.given, x.used_given, x.birth_date, x.sex,
       x.status, x.attributes, x.protected, x.deceased, x.ipps, x.birth_place,
       coalesce(u.name, s.unit, '') as unit_name, coalesce(b.label, '') as bed,
       coalesce(s.status, '') as stay_status, s.expected_start
from patients.index x
left join lateral (
  select unit, bed, status, expected_start from patients.stay s
  where s.tenant = $1 and s.patient = x.patient and s.status in ('in-progress', 'onleave', 'planned')
  order by s.status = 'planned', s.starts desc nulls last limit 1
) s on true
left join patients.unit u on u.tenant = $1 and u.unit = s.unit
left join patients.bed b on b.tenant = $1 and b.location = s.bed
where x.tenant = $1 and x.retired_into is null
  and (x.patient in (select coalesce(o.retired_into, i.patient)
                     from patients.identifier i
                     join patients.index o on o.tenant = $1 and o.patient = i.patient
                     where i.tenant = $1 and i.value = $2)
       or ($3::text[] <> '{}' and x.names like all($3::text[])))
