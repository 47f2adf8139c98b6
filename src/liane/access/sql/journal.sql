-- name: insert_one
-- One entry, in the transaction of the act it tells of.
insert into journal.entry
  (tenant, at, actor, actor_kind, actor_name, actor_role, session, action, purpose, establishment,
   patient, resource, outcome, detail, id, leaf_hash)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14::json, $15, $16)

-- name: insert_many
-- The same for any number of entries.
insert into journal.entry
  (tenant, at, actor, actor_kind, actor_name, actor_role, session, action, purpose, establishment,
   patient, resource, outcome, detail, id, leaf_hash)
select tenant, at, actor, actor_kind, actor_name, actor_role, session, action, purpose,
       establishment, patient, resource, outcome, detail::json, id, leaf_hash
from unnest($1::smallint[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[],
            $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[],
            $14::text[], $15::uuid[], $16::bytea[])
     as e(tenant, at, actor, actor_kind, actor_name, actor_role, session, action, purpose,
          establishment, patient, resource, outcome, detail, id, leaf_hash)
