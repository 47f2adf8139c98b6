-- name: keep_values
-- One row per value; a changed value keeps the former one, to be shown struck through.
insert into record.value as v (tenant, patient, kind, at, resource, part, system, code, label,
  unit, method, shown, number, comparator, flag, low, high, range, status, updated)
select $1, x.* from unnest(
  $2::text[], $3::text[]::"char"[], $4::timestamptz[], $5::text[], $6::int[]::smallint[],
  $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::numeric[],
  $14::text[], $15::text[], $16::numeric[], $17::numeric[], $18::text[], $19::text[],
  $20::timestamptz[]
) as x
on conflict (tenant, resource, part) do update set
  patient = excluded.patient, kind = excluded.kind, at = excluded.at, system = excluded.system,
  code = excluded.code, label = excluded.label, unit = excluded.unit, method = excluded.method,
  shown = excluded.shown, number = excluded.number, comparator = excluded.comparator,
  flag = excluded.flag, low = excluded.low, high = excluded.high, range = excluded.range,
  status = excluded.status, updated = excluded.updated,
  former = case
    when excluded.comparator = v.comparator and excluded.shown = v.shown
      and excluded.unit = v.unit then v.former
    else v.comparator || v.shown || case when excluded.unit = v.unit then '' else ' ' || v.unit end
  end;

-- name: drop_parts
-- Components that the present version no longer has (all of them when the resource is deleted).
delete from record.value v
using unnest($2::text[], $3::int[]) as kept (resource, parts)
where v.tenant = $1 and v.resource = kept.resource
  and v.part >= kept.parts;
