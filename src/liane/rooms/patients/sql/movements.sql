-- name: keep_movement
-- Lock the stays, keep the messages, and read back everything ever said of each stay.
select u.n, k.encounter, k.patient, k.fresh, k.old_bed, k.facts, k.body
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $7::text[])
     with ordinality as u (system, value, patient, digest, source, fact, n),
     lateral patients.keep_movement(u.system, u.value, u.patient, u.digest, u.source, $6,
                                    u.fact::jsonb) as k
order by u.n

-- name: begin_stay
-- A new stay, once its Encounter has been written, with its first movement.
with begun as (
  insert into patients.stay (tenant, encounter, patient, venue_system, venue_value)
  values ($1, $2, $3, $4, $5)
)
insert into patients.movement (tenant, encounter, digest, source, received, fact)
values ($1, $2, $6, $7, $8, $9::jsonb)

-- name: settle_stay
-- Where the stay stands now; the bed just left waits for cleaning, the bed entered is clean.
with settled as (
  update patients.stay set
    status = $3, class = $4, establishment = $5, unit = $6, medical_unit = $7, ward = $8,
    room = $9, bed = $10, starts = $11, ends = $12, expected_start = $13, expected_end = $14,
    since = $15, attending = $16, anomalies = $17
  where tenant = $1 and encounter = $2
), touched as (
  select location, 'K' as state, $19::timestamptz as since, $20::boolean as changes
  from unnest($18::text[]) as location
  union all select $10, 'U', $15, true where $10 <> '' and $21::boolean
), locked as (
  -- Two patients who exchange beds at once must not wait for each other.
  select b.location, t.state, t.since from patients.bed b
  join touched t on t.location = b.location and t.changes
  where b.tenant = $1 and b.state in ('U', 'K') and b.state <> t.state
    and coalesce(t.since, b.since) >= b.since
  order by b.location for update of b
)
update patients.bed b set state = l.state, since = coalesce(l.since, b.since), note = ''
from locked l
where b.tenant = $1 and b.location = l.location

-- name: adopt_stays
-- Keep the stays of Encounter resources that did not come as movements (API, import). A stay that
-- movements describe is theirs alone; a venue number already taken is not taken twice.
with told as (
  select * from jsonb_to_recordset($2::jsonb) as r(
    encounter text, patient text, venue_system text, venue_value text, status text, class text,
    unit text, place text, starts timestamptz, ends timestamptz, since timestamptz,
    attending text)
), said as (
  select distinct on (coalesce(o.encounter, t.encounter)) t.encounter, t.patient,
    case when o.encounter is null and row_number() over same = 1 then t.venue_system
         else 'encounter' end as venue_system,
    case when o.encounter is null and row_number() over same = 1 then t.venue_value
         else t.encounter end as venue_value,
    t.status, t.class, coalesce(b.unit, t.unit) as unit, u.establishment,
    coalesce(b.ward, t.place) as ward, b.room, b.location as bed, t.starts, t.ends, t.since,
    t.attending
  from told t
  left join patients.stay o on o.tenant = $1 and o.venue_system = t.venue_system
    and o.venue_value = t.venue_value and o.encounter <> t.encounter
  left join patients.bed b on b.tenant = $1 and b.location = t.place
  left join patients.unit u on u.tenant = $1 and u.unit = coalesce(b.unit, t.unit)
  where not exists (select from patients.movement m
                    where m.tenant = $1 and m.encounter = t.encounter)
  window same as (partition by t.venue_system, t.venue_value order by t.encounter)
)
insert into patients.stay as s
  (tenant, encounter, patient, venue_system, venue_value, status, class, establishment, unit, ward,
   room, bed, starts, ends, expected_start, since, attending)
select $1, encounter, patient, venue_system, venue_value, status, class,
  coalesce(establishment, ''), unit,
  case when ends is null then ward else '' end,
  case when ends is null then coalesce(room, '') else '' end,
  case when ends is null then coalesce(bed, '') else '' end,
  starts, ends, case when status = 'planned' then starts end, since, attending
from said
on conflict (tenant, encounter) do update set
  patient = excluded.patient, status = excluded.status, class = excluded.class,
  establishment = excluded.establishment, unit = excluded.unit, ward = excluded.ward,
  room = excluded.room, bed = excluded.bed, starts = excluded.starts, ends = excluded.ends,
  expected_start = excluded.expected_start, since = excluded.since,
  attending = excluded.attending
returning s.encounter, s.patient, s.status, s.unit, s.establishment, s.starts, s.ends

-- name: facts
-- Every movement message of a stay.
select fact, source, received from patients.movement
where tenant = $1 and encounter = $2
order by received, digest

-- name: forget_stays
-- A deleted Encounter leaves the boards; its movement messages stay kept.
delete from patients.stay where tenant = $1 and encounter = any($2::text[])
