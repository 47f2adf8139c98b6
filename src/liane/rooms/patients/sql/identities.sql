-- name: row
-- The index row of one identity.
select patient, birth_name, used_name, given, used_given, birth_date, sex, birth_place, status,
       attributes, protected, deceased, names, source, retired_into
from patients.index where tenant = $1 and patient = $2

-- name: alike
-- Identities that sound or look like this one, or were born the same day; scored by the caller.
select x.patient, x.birth_name, x.used_name, x.given, x.used_given, x.birth_date, x.sex,
       x.birth_place, x.status, x.attributes, x.protected, x.deceased, x.ins, x.ipps
from (
  select patient from patients.search($3::text[], $4::text[], '{}', '', 80)
  union
  select patient from patients.search('{}', '{}', $5::text[], '', 200)
) f
join patients.index x on x.tenant = $1 and x.patient = f.patient
where x.patient <> $2 and x.retired_into is null
  and not exists (select from patients.not_duplicate d
                  where d.tenant = $1 and d.a = least($2, x.patient)
                    and d.b = greatest($2, x.patient))

-- name: merges
-- Merges that concern this identity, on either side.
select m.id, m.survivor, m.retired, m.source, m.done_at, m.done_by, m.undone_at,
       s.birth_name as survivor_name, s.given as survivor_given,
       r.birth_name as retired_name, r.given as retired_given, r.birth_date as retired_birth,
       jsonb_array_length(m.snapshot -> 'resources') as moved
from patients.merge m
left join patients.index s on s.tenant = $1 and s.patient = m.survivor
left join patients.index r on r.tenant = $1 and r.patient = m.retired
where m.tenant = $1 and (m.survivor = $2 or m.retired = $2)
order by m.done_at desc

-- name: stays
-- The stays known of this identity, latest first.
select s.encounter, s.venue_value, s.status, s.class, coalesce(u.name, s.unit) as unit_name,
       coalesce(b.label, '') as bed, s.starts, s.ends, s.expected_start, s.anomalies
from patients.stay s
left join patients.unit u on u.tenant = $1 and u.unit = s.unit
left join patients.bed b on b.tenant = $1 and b.location = s.bed
where s.tenant = $1 and s.patient = $2
order by coalesce(s.starts, s.expected_start) desc nulls last limit 20

-- name: belongings
-- How much of each kind belongs to an identity.
select type, count(*) as number from record.resource
where tenant = $1 and patient = $2 and type <> 'Patient'
group by type order by number desc, type

-- name: worklist
-- Identities the identity staff should look at: open differences first, then present patients
-- whose identity is provisional or doubtful.
select x.patient, x.birth_name, x.used_name, x.given, x.used_given, x.birth_date, x.sex,
       x.birth_place, x.status, x.attributes, x.protected, x.deceased,
       coalesce(u.name, s.unit, '') as unit_name, coalesce(d.number, 0) as differences
from patients.index x
left join lateral (
  select count(*) as number from patients.discrepancy d
  where d.tenant = $1 and d.patient = x.patient and d.settled_at is null
) d on true
left join lateral (
  select unit from patients.stay s
  where s.tenant = $1 and s.patient = x.patient
    and s.status in ('in-progress', 'onleave', 'planned')
  order by s.starts desc nulls last limit 1
) s on true
left join patients.unit u on u.tenant = $1 and u.unit = s.unit
where x.tenant = $1 and x.retired_into is null
  and (d.number > 0 or (s.unit is not null
       and (x.status = 'provisoire' or x.attributes && array['douteuse'])))
order by d.number > 0 desc, x.birth_name, x.given limit $2

-- name: recent_merges
select m.id, m.survivor, m.retired, m.done_at, m.done_by, m.undone_at,
       s.birth_name as survivor_name, s.given as survivor_given,
       r.birth_name as retired_name, r.given as retired_given
from patients.merge m
left join patients.index s on s.tenant = $1 and s.patient = m.survivor
left join patients.index r on r.tenant = $1 and r.patient = m.retired
where m.tenant = $1
order by m.done_at desc limit 10
