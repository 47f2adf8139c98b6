-- name: lead
-- One sealer at a time for each tenant; the lock ends with the transaction.
select pg_try_advisory_xact_lock(7203, $1::int)

-- name: pending
-- Committed entries without a place, oldest first. The lock is taken before this statement, so
-- that it sees everything the sealer before us committed.
select id, at, establishment, leaf_hash from journal.entry
where tenant = $1 and seq is null
order by id limit $2

-- name: last
-- The head of the published order.
select seq, order_hash, sealed_at from journal.entry
where tenant = $1 and seq is not null order by seq desc limit 1

-- name: chains
-- The head of each establishment's chain.
select establishment, chain_seq, chain_hash from journal.chain where tenant = $1

-- name: seal
-- Give each entry its place: the only change an entry ever knows.
update journal.entry e
set seq = v.seq, chain_seq = v.chain_seq, chain_hash = v.chain_hash, order_hash = v.order_hash,
    sealed_at = $7
from unnest($2::uuid[], $3::bigint[], $4::bigint[], $5::bytea[], $6::bytea[], $8::timestamptz[])
     as v(id, seq, chain_seq, chain_hash, order_hash, at)
where e.tenant = $1 and e.seq is null and e.id = v.id and e.at = v.at

-- name: keep_chains
-- Remember where each chain stands.
insert into journal.chain (tenant, establishment, chain_seq, chain_hash)
select $1, * from unnest($2::text[], $3::bigint[], $4::bytea[])
on conflict (tenant, establishment)
do update set chain_seq = excluded.chain_seq, chain_hash = excluded.chain_hash

-- name: sealed
-- Every sealed entry in the published order, for the verification.
select tenant, at, actor, actor_kind, actor_name, actor_role, session, action, purpose,
       establishment, patient, resource, outcome, detail::text as detail, id,
       leaf_hash, seq, chain_seq, chain_hash, order_hash, sealed_at
from journal.entry where tenant = $1 and seq is not null order by seq

-- name: chain_heads
-- What the sealer remembers, to be compared with what the verification finds.
select establishment, chain_seq, chain_hash from journal.chain where tenant = $1

-- name: guards_off
-- The triggers that refuse changes and that are switched off or missing, in the whole or a part.
select case when part = 'journal.entry'::regclass then name else name || ' of ' || part end as name
from (select 'journal.entry'::regclass as part
      union all select inhrelid::regclass from pg_inherits
      where inhparent = 'journal.entry'::regclass) as parts
cross join unnest(array['only_seal', 'no_delete', 'no_truncate']) as name
where not exists (
  select from pg_trigger t
  where t.tgrelid = part and t.tgname = name and t.tgenabled in ('O', 'A'))
