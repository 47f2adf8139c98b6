-- name: everything
-- What belongs to patient $1, the patient first, then in the order it was stored, after row $2.
-- $5 since when written; $6 and $7 the stretch of care; $8 the one stay wanted, as references end.
-- What still holds is never left out for having begun earlier: allergies, problems without an end,
-- periods that reach into the stretch.
select r.type, r.id, r.version, r.updated, false as deleted, r.body, r.rid
from record.resource r
where r.tenant = current_setting('liane.tenant')::smallint and r.patient = $1
  and ((r.type = 'Patient' and $2::bigint < 0) or (r.type <> 'Patient' and r.rid > $2::bigint))
  and r.type = any($4::text[])
  and ($5::timestamptz is null or r.updated >= $5::timestamptz)
  and {during} and {stay}
order by r.type <> 'Patient', r.rid limit $3;

-- name: next_patients
-- The patients that {limit} lets through, in the order of their ids, after $1 (itself too with $2).
select r.id from record.resource r
where r.tenant = current_setting('liane.tenant')::smallint and r.type = 'Patient'
  and r.id >= $1 and (r.id > $1 or $2) and {limit}
order by r.id limit $3;

-- name: during
-- Whether the care a row speaks of meets the stretch from $6 to $7.
case
  when r.at is null or ($6::timestamptz is null and $7::timestamptz is null) then true
  when r.at >= coalesce($7::timestamptz, 'infinity') then false
  when r.at >= coalesce($6::timestamptz, '-infinity') then true
  when r.type in ('AllergyIntolerance', 'Patient') then true
  when r.type = 'Condition' then
    coalesce(r.body::jsonb ->> 'abatementDateTime', r.body::jsonb -> 'abatementPeriod' ->> 'end',
             case when r.body::jsonb::text ~ '"abatement[A-Z]' then '' else '9999' end)
      >= to_char($6::timestamptz, 'YYYY-MM-DD')
  else exists (
    select from jsonb_each(r.body::jsonb) part
    where part.key in ('period', 'effectivePeriod', 'performedPeriod', 'occurrencePeriod',
                       'servicedPeriod', 'servicePeriod', 'billablePeriod', 'executionPeriod')
      and coalesce(part.value ->> 'end', '9999') >= to_char($6::timestamptz, 'YYYY-MM-DD'))
end;

-- name: stay
-- Whether a row is the stay $8, speaks of it, or is its patient.
($8::text is null or r.type = 'Patient' or r.type || '/' || r.id || '"' = $8::text
 or position($8::text in r.body) > 0);

-- name: house_of_everything
-- The people, places, medications and devices that those rows name, and those they name in turn,
-- each once, after $2 in the order of their names.
with recursive named(ref) as (
  select m[1] from record.resource r,
    regexp_matches(r.body, '"reference":"((?:Practitioner|PractitionerRole|Organization|Location|Medication|Device)/[A-Za-z0-9.-]{1,64})"', 'g') m
  where r.tenant = current_setting('liane.tenant')::smallint and r.patient = $1
    and r.type = any($4::text[])
    and ($5::timestamptz is null or r.updated >= $5::timestamptz)
    and {during} and {stay}
  union
  select m[1] from named
  join record.resource n on n.tenant = current_setting('liane.tenant')::smallint
    and n.type = split_part(named.ref, '/', 1) and n.id = split_part(named.ref, '/', 2),
    regexp_matches(n.body, '"reference":"((?:Practitioner|Organization|Location)/[A-Za-z0-9.-]{1,64})"', 'g') m
)
select n.type, n.id, n.version, n.updated, false as deleted, n.body
from named
join record.resource n on n.tenant = current_setting('liane.tenant')::smallint
  and n.type = split_part(named.ref, '/', 1) and n.id = split_part(named.ref, '/', 2)
where n.type = any($9::text[]) and n.patient is null and (n.type || '/' || n.id) collate "C" > $2
order by (n.type || '/' || n.id) collate "C" limit $3;

-- name: last_observations
-- The latest $5 Observations of each patient and code. $2 categories and $3 codes as system|code,
-- |code or code; $6 and $7 when. What was entered in error is none.
with mine as materialized (
  select r.rid, r.type, r.id, r.version, r.updated, r.body, r.patient, r.at, b -> 'code' as code
  from record.resource r, lateral (select r.body::jsonb as b offset 0) parsed
  where r.tenant = current_setting('liane.tenant')::smallint and r.type = 'Observation'
    and r.patient = any($1::text[])
    and ($6::timestamptz is null or r.at >= $6::timestamptz)
    and ($7::timestamptz is null or r.at < $7::timestamptz)
    and b ->> 'status' <> 'entered-in-error'
    and (cardinality($2::text[]) = 0 or exists (
      select from jsonb_path_query(b, '$.category[*].coding[*]') c
      where array[c ->> 'code', coalesce(c ->> 'system', '') || '|' || (c ->> 'code'),
                  case when c ->> 'system' is null then '|' || (c ->> 'code') end] && $2::text[]))
    and (cardinality($3::text[]) = 0 or exists (
      select from jsonb_path_query(b, '$.code.coding[*]') c
      where array[c ->> 'code', coalesce(c ->> 'system', '') || '|' || (c ->> 'code'),
                  case when c ->> 'system' is null then '|' || (c ->> 'code') end] && $3::text[]))
), coded as (
  select mine.*, coalesce(
    (select array_agg(distinct coalesce(c ->> 'system', '') || '|' || (c ->> 'code'))
     from jsonb_path_query(code, '$.coding[*]') c where c ? 'code'),
    array['text:' || coalesce(code ->> 'text', '')]) as codes
  from mine
), ranked as (
  select coded.*, row_number() over (
    partition by patient, codes order by at desc nulls last, rid desc) as n
  from coded
)
select type, id, version, updated, false as deleted, body, patient, at, rid, codes
from ranked where n <= $5 order by patient, at desc nulls last, rid desc limit $4;

-- name: statistics
-- Numbers of one patient's Observations of one code (or of their components), by unit.
-- $2 the code as system|code, |code or code; $3 and $4 when; $5 the shares of percentiles.
with found as (
  select (v.part -> 'valueQuantity' ->> 'value')::numeric as number,
         coalesce(v.part -> 'valueQuantity' ->> 'code', v.part -> 'valueQuantity' ->> 'unit', '')
           as unit,
         v.part -> 'valueQuantity' as quantity, r.at
  from record.resource r, lateral (select r.body::jsonb as b offset 0) parsed,
    lateral (select b as part union all
             select jsonb_path_query(b, '$.component[*]')) v
  where r.tenant = current_setting('liane.tenant')::smallint and r.type = 'Observation'
    and r.patient = $1
    and ($3::timestamptz is null or r.at >= $3::timestamptz)
    and ($4::timestamptz is null or r.at < $4::timestamptz)
    and b ->> 'status' not in ('entered-in-error', 'cancelled')
    and exists (
      select from jsonb_path_query(v.part, '$.code.coding[*]') c
      where $2 in (c ->> 'code', coalesce(c ->> 'system', '') || '|' || (c ->> 'code')))
)
select unit, (array_agg(quantity order by at desc nulls last) filter (where number is not null))[1]
         ::text as sample,
  count(*) as every, count(number) as numbers, min(number) as low, max(number) as high,
  sum(number) as sum, avg(number) as mean, stddev_samp(number) as deviation,
  var_samp(number) as variance,
  sum((number - middle) ^ 2) as squares, sum((number - middle) ^ 3) as cubes,
  sum((number - middle) ^ 4) as fourths,
  percentile_cont($5::float8[]) within group (order by number) as shares,
  percentile_cont(0.5) within group (order by number) as median
from (select found.*, avg(number) over (partition by unit) as middle from found) found
group by unit order by numbers desc, unit;

-- name: last_rows
-- The Observations that statistics were made of, latest first.
select r.type, r.id, r.version, r.updated, false as deleted, r.body
from record.resource r, lateral (select r.body::jsonb as b offset 0) parsed
where r.tenant = current_setting('liane.tenant')::smallint and r.type = 'Observation'
  and r.patient = $1
  and ($3::timestamptz is null or r.at >= $3::timestamptz)
  and ($4::timestamptz is null or r.at < $4::timestamptz)
  and b ->> 'status' not in ('entered-in-error', 'cancelled')
  and exists (
    select from jsonb_path_query(b, '$.**.code.coding[*]') c
    where $2 in (c ->> 'code', coalesce(c ->> 'system', '') || '|' || (c ->> 'code')))
order by r.at desc nulls last, r.rid desc limit $5;

-- name: every_meta
-- Profiles, tags and labels in use, each once. What has none ends its meta with the instant.
select distinct kind, what::text
from record.resource r,
  lateral (select r.body::jsonb -> 'meta' as meta offset 0) told,
  lateral (select 'profile' as kind, p as what from jsonb_array_elements(meta -> 'profile') p
           union all select 'tag', t - 'display' from jsonb_array_elements(meta -> 'tag') t
           union all select 'security', s - 'display' from jsonb_array_elements(meta -> 'security') s
          ) parts
where r.tenant = current_setting('liane.tenant')::smallint and r.type = any($1::text[])
  and substring(r.body from 1 for 400) !~ '"lastUpdated":"[^"]*"\}'
  and {limit}
limit 10000;

-- name: of_summary
-- What a summary of patient $1 may tell, by type, the latest first.
select type, id, version, updated, false as deleted, body from record.resource
where tenant = current_setting('liane.tenant')::smallint and patient = $1 and type = any($2::text[])
order by type, at desc nulls last, rid desc limit $3;
