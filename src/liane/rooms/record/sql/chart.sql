-- name: of_types
-- The latest resources of several types for one patient; embedded bytes are left out.
select r.type, r.id, r.version, r.updated, r.at,
  case when length(r.body) > 30000
    then regexp_replace(r.body, '"data":\s*"[^"]*"', '"data":""', 'g') else r.body end as body
from unnest($3::text[]) as wanted (type)
cross join lateral (
  select x.type, x.id, x.version, x.updated, x.at, x.body
  from record.resource x
  where x.tenant = $1 and x.patient = $2 and x.type = wanted.type
  order by x.at desc, x.rid
  limit $4
) r;

-- name: one
-- One resource of a patient, and of nobody else.
select type, id, version, updated, at, body
from record.resource
where tenant = $1 and patient = $2 and type = $3 and id = $4;

-- name: names
-- What places, units and medications are called.
select r.type || '/' || r.id as reference,
  coalesce(r.body::jsonb ->> 'name', r.body::jsonb #>> '{code,text}',
    r.body::jsonb #>> '{code,coding,0,display}', '') as name
from record.resource r
join unnest($2::text[], $3::text[]) as wanted (type, id)
  on r.type = wanted.type and r.id = wanted.id
where r.tenant = $1;

-- name: values_between
-- Values of one kind and some codes in a stretch of time, newest first.
select at, resource, system, code, label, unit, method, shown, number, comparator, flag, low, high,
  range, status, former
from record.value
where tenant = $1 and patient = $2 and kind = $3::text::"char" and code = any($7::text[])
  and at >= $4 and at <= $5
order by at desc
limit $6;

-- name: all_between
-- Values of one kind in a stretch of time, newest first.
select at, resource, system, code, label, unit, method, shown, number, comparator, flag, low, high,
  range, status, former
from record.value
where tenant = $1 and patient = $2 and kind = $3::text::"char" and at >= $4 and at <= $5
order by at desc
limit $6;

-- name: codes_known
-- How many numeric results of each analysis there are.
select code, count(*) as results
from record.value
where tenant = $1 and patient = $2 and kind = 'l' and number is not null
group by code;

-- name: last_before
-- The last result of each series before a moment, so that the axis knows what was true at its edge.
select distinct on (code, unit, method) at, resource, system, code, label, unit, method, shown,
  number, comparator, flag, low, high, range, status, former
from record.value
where tenant = $1 and patient = $2 and kind = 'l' and code = any($4::text[]) and at < $3
order by code, unit, method, at desc;

-- name: last_of_codes
-- The last results of each analysis, newest first.
select v.*
from unnest($3::text[]) as wanted (code)
cross join lateral (
  select at, resource, system, code, label, unit, method, shown, number, comparator, flag, low,
    high, range, status, former
  from record.value x
  where x.tenant = $1 and x.patient = $2 and x.kind = 'l' and x.code = wanted.code
  order by x.at desc
  limit $4
) v;

-- name: second_scale
-- Whether a prescriber set the second scale of oxygen saturation for this patient (a Flag in force).
select exists (
  select 1 from record.resource
  where tenant = $1 and patient = $2 and type = 'Flag'
    and body like '%"spo2-echelle-2"%' and body::jsonb ->> 'status' = 'active');

-- name: latest_values
-- The last value of each vital sign before a moment.
select v.*
from unnest($4::text[]) as wanted (code)
cross join lateral (
  select at, resource, system, code, label, unit, method, shown, number, comparator, flag, low,
    high, range, status, former
  from record.value x
  where x.tenant = $1 and x.patient = $2 and x.kind = 'v' and x.code = wanted.code and x.at <= $3
    and x.status not in ('entered-in-error', 'cancelled')
  order by x.at desc
  limit 1
) v;

-- name: values_of
-- The values of named observations (the results of one report).
select at, resource, part, kind::text as kind, system, code, label, unit, method, shown, number,
  comparator, flag, low, high, range, status, former
from record.value
where tenant = $1 and patient = $2 and resource = any($3::text[])
order by array_position($3::text[], resource::text), part;

-- name: arrived
-- What came into the record lately, whatever its clinical time.
select r.type, r.id, r.version, r.updated, r.at,
  case when length(r.body) > 30000
    then regexp_replace(r.body, '"data":\s*"[^"]*"', '"data":""', 'g') else r.body end as body
from record.resource r
where r.tenant = $1 and r.patient = $2 and r.type = any($3::text[]) and r.updated >= $4
order by r.updated desc
limit $5;

-- name: arrived_signs
-- Vital signs that came lately, one line for each moment of charting.
select date_trunc('minute', at) as at, max(updated) as updated,
  bool_or(status in ('preliminary', 'registered')) as unvalidated,
  array_agg(distinct code) as codes
from record.value
where tenant = $1 and patient = $2 and kind = 'v' and code = any($4::text[]) and at >= $3
group by 1
order by 1 desc
limit 3;

-- name: first_event
-- When the record of this patient begins.
select least(
  (select min(at) from record.resource
    where tenant = $1 and patient = $2 and at > '1880-01-01'
      and type in ('Encounter', 'ImagingStudy', 'DocumentReference', 'DiagnosticReport')),
  (select min(at) from record.value where tenant = $1 and patient = $2));

-- name: search_documents
-- Letters and reports that hold these words, with the words around them.
select r.type, r.id, r.updated, r.at, r.patient, r.body,
  ts_rank(c.words, websearch_to_tsquery('french', $3)) as rank
from record.content c
join record.resource r on r.rid = c.rid and r.tenant = c.tenant
where c.tenant = $1 and c.patient = $2 and c.type = any($4::text[])
  and c.words @@ websearch_to_tsquery('french', $3)
order by rank desc, r.at desc
limit $5;

-- name: history_of
-- Every version of one resource of a patient, newest first.
select version, updated, false as deleted, body from record.resource
where tenant = $1 and patient = $2 and type = $3 and id = $4
union all
select version, updated, deleted, body from record.history
where tenant = $1 and type = $3 and id = $4 and coalesce(patient, $2) = $2
order by version desc
limit 100;

-- name: changes_of_patient
-- The latest versions written for a patient, current and former.
(select type, id, version, updated, false as deleted,
   coalesce(body::jsonb #>> '{code,text}', body::jsonb #>> '{code,coding,0,display}',
     body::jsonb ->> 'description', body::jsonb #>> '{medicationCodeableConcept,text}', '') as label
 from record.resource
 where tenant = $1 and patient = $2 and updated < $3
 order by updated desc limit $4)
union all
(select type, id, version, updated, deleted,
   coalesce(nullif(body, '')::jsonb #>> '{code,text}',
     nullif(body, '')::jsonb #>> '{code,coding,0,display}',
     nullif(body, '')::jsonb ->> 'description', '') as label
 from record.history
 where tenant = $1 and patient = $2 and updated < $3
 order by updated desc limit $4)
order by updated desc, type, id, version desc
limit $4;

-- name: tile_resources
-- What a ward board says of many patients at once: allergies, flags, reason of the stay.
select r.patient, r.type, r.id, r.updated, r.body
from unnest($2::text[]) as wanted (patient)
cross join unnest(array['AllergyIntolerance', 'Flag', 'Condition']) as kind (type)
cross join lateral (
  select x.patient, x.type, x.id, x.updated, x.body from record.resource x
  where x.tenant = $1 and x.patient = wanted.patient and x.type = kind.type
  order by x.at desc, x.rid limit 30
) r;

-- name: tile_values
-- Vital signs of many patients since a moment, oldest first.
select v.patient, v.at, v.resource, v.system, v.code, v.label, v.unit, v.method, v.shown, v.number,
  v.comparator, v.flag, v.low, v.high, v.range, v.status, v.former
from unnest($2::text[]) as wanted (patient)
cross join lateral (
  select * from record.value x
  where x.tenant = $1 and x.patient = wanted.patient and x.kind = 'v' and x.at >= $3
    and x.code = any($4::text[])
  order by x.at desc limit 80
) v
order by v.patient, v.at;

-- name: tile_results
-- How many abnormal laboratory results arrived for each patient since a moment.
select patient, count(*) as abnormal
from record.value
where tenant = $1 and patient = any($2::text[]) and kind = 'l' and at >= $3
  and flag in ('H', 'L', 'HH', 'LL', 'A', 'AA', 'HU', 'LU')
  and status not in ('entered-in-error', 'cancelled')
group by patient;

-- name: search_everywhere
-- Letters with these words among the patients the reader may see (the predicate is put in).
select r.type, r.id, r.patient, r.at, r.body, p.body as who
from unnest($3::text[]) as kind (type)
cross join lateral record.find_words(websearch_to_tsquery('french', $2), kind.type, 2000) as hit (rid)
join record.resource r on r.rid = hit.rid and r.tenant = $1
join record.resource p on p.tenant = $1 and p.type = 'Patient' and p.id = r.patient
where /* visible */
order by r.at desc
limit $4;

-- name: journal_of
-- Who wrote for this patient in a stretch of time, and why (entries that have their place).
select at, actor_name, actor_role, action, detail ->> 'reason' as reason,
  array(select json_array_elements_text(
    case when json_typeof(detail -> 'versions') = 'array' then detail -> 'versions' else '[]' end
  )) as resources
from journal.entry
where tenant = $1 and patient = $2 and seq is not null and at >= $3 and at <= $4
  and action in ('write', 'delete')
order by at desc
limit 400;
