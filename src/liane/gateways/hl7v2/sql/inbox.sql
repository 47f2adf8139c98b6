-- name: keep
-- Store every message that waits, in one statement, and say which were there before.
with incoming as (
  select *
  from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bytea[], $8::text[],
              $9::text[], $10::timestamptz[], $11::bytea[], $12::text[], $13::text[], $14::text[],
              $15::text[], $16::text[], $17::text[]) with ordinality
    as i (id, partner, sender, peer, control_id, sha256, kind, event, message_at, raw, batch, state,
          flags, reason_code, reason_fr, reason_en, place)
), before as (
  select i.place, m.id, m.state, m.ack
  from incoming i
  join hl7v2.message m on m.tenant = $1 and m.sender = i.sender and m.control_id = i.control_id
                      and m.sha256 = i.sha256
), added as (
  insert into hl7v2.message (tenant, id, partner, sender, peer, control_id, sha256, kind, event,
                             received_at, message_at, raw, size, batch, state, flags, reason_code,
                             reason_fr, reason_en, settled_at)
  select $1, i.id, i.partner, i.sender, i.peer, i.control_id, i.sha256, i.kind, i.event,
         $18::timestamptz, i.message_at, i.raw, octet_length(i.raw), nullif(i.batch, ''), i.state,
         string_to_array(nullif(i.flags, ''), ',') ||
           case when i.control_id <> '' and exists (
             select from hl7v2.message m
             where m.tenant = $1 and m.sender = i.sender and m.control_id = i.control_id
               and m.sha256 <> i.sha256)
           then array['control-id-reused'] else '{}' end,
         i.reason_code, i.reason_fr, i.reason_en,
         case when i.state = 'pending' then null else $18::timestamptz end
  from incoming i
  where not exists (select from before b where b.place = i.place)
  order by i.place
  on conflict do nothing
  returning id
)
select i.place, a.id is not null as fresh, coalesce(a.id, b.id) as id, b.state, b.ack
from incoming i
left join added a on a.id = i.id
left join before b on b.place = i.place
order by i.place

-- name: same
-- A message already stored, by its duplicate key (when two arrived at the very same time).
select id, state, ack from hl7v2.message
where tenant = $1 and sender = $2 and control_id = $3 and sha256 = $4

-- name: settle
-- The fate of messages, written with their effects. No row: somebody else settled it first.
update hl7v2.message m
set state = u.state, ack = u.ack, resources = string_to_array(u.resources, ','),
    resource_count = u.resource_count, patient = u.patient, reason_code = u.reason_code,
    reason_fr = u.reason_fr, reason_en = u.reason_en, attempts = m.attempts + 1, settled_at = $2,
    flags = case when u.flags = '' then m.flags
                 else array(select distinct f
                            from unnest(m.flags || string_to_array(u.flags, ',')) f) end
from unnest($3::text[], $4::text[], $5::bytea[], $6::text[], $7::int[], $8::text[], $9::text[],
            $10::text[], $11::text[], $12::text[])
     as u (id, state, ack, resources, resource_count, patient, reason_code, reason_fr, reason_en,
           flags)
where m.tenant = $1 and m.id = u.id and m.state = 'pending'
returning m.id

-- name: waiting
-- Messages that are safe but not applied yet, in the order they came (their bytes may be large:
-- they are read one at a time).
select id
from hl7v2.message
where tenant = $1 and state = 'pending' and id > $2
order by id
limit 500

-- name: one_pending
select id, partner, sender, peer, raw, attempts, received_at
from hl7v2.message
where tenant = $1 and state = 'pending' and id = $2

-- name: attempt
-- Count the attempt before it is made: a message that kills the process is recognised.
update hl7v2.message set attempts = attempts + 1
where tenant = $1 and id = $2 and state = 'pending'
returning attempts

-- name: replay
-- Ask for messages to be applied again.
update hl7v2.message
set state = 'pending', attempts = 0
where tenant = $1 and id = any($2::text[]) and state in ('applied', 'kept', 'held', 'failed')
returning id

-- name: settled
select state, ack from hl7v2.message where tenant = $1 and id = $2
