-- name: lock_criteria
-- Holds other conditional writes with the same criteria until this transaction ends.
select pg_advisory_xact_lock(hashtextextended('fhir:' || current_setting('liane.tenant') || $1, 0));

-- name: everything
-- All that belongs to one patient, the patient first, then in the order it was stored.
select type, id, version, updated, false as deleted, body, rid
from record.resource
where tenant = current_setting('liane.tenant')::smallint and patient = $1
  and rid > $2 and (cardinality($4::text[]) = 0 or type = any($4::text[]))
  and ($5::timestamptz is null or updated >= $5)
order by rid limit $3;
