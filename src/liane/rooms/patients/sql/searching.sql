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
