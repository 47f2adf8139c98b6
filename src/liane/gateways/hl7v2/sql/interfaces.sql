-- name: partners
-- How each partner is doing: what came in 24 hours and in 5 minutes, and when it last spoke.
select p.id, p.name, p.allowed, p.unknown_patient, p.enhanced, p.quiet_minutes, p.addresses,
       p.applications, m.received, m.recent, m.applied, m.kept, m.held, m.failed, m.pending, m.last
from hl7v2.partner p
left join lateral (
  select count(*) as received,
         count(*) filter (where received_at > $2::timestamptz - interval '5 minutes') as recent,
         count(*) filter (where state = 'applied') as applied,
         count(*) filter (where state in ('kept', 'answer')) as kept,
         count(*) filter (where state = 'held') as held,
         count(*) filter (where state = 'failed') as failed,
         count(*) filter (where state = 'pending') as pending,
         max(received_at) as last
  from hl7v2.message
  where tenant = $1 and partner = p.id and received_at > $2::timestamptz - interval '24 hours'
) m on true
where p.tenant = $1
order by p.name

-- name: last_ever
-- When partners that said nothing for a day last spoke.
select partner, max(received_at) as last from hl7v2.message
where tenant = $1 and partner = any($2::text[])
group by partner

-- name: refused
-- Who was turned away in the last 24 hours, and why.
select peer, reason_code, reason_fr, reason_en, count(*) as times, max(received_at) as last,
       max(id) as id
from hl7v2.message
where tenant = $1 and state = 'refused' and received_at > $2::timestamptz - interval '24 hours'
group by peer, reason_code, reason_fr, reason_en
order by last desc
limit 20

-- name: waiting_work
-- Messages that wait for people, whatever their age.
select state, count(*) as times from hl7v2.message
where tenant = $1 and state in ('held', 'failed', 'pending')
group by state

-- name: messages
-- Messages, newest first; every filter may be absent.
select id, partner, peer, control_id, kind, received_at, state, flags, reason_code, reason_fr,
       reason_en, attempts, size, resource_count
from hl7v2.message
where tenant = $1
  and ($2::text is null or partner = $2)
  and ($3::text is null or state = $3)
  and ($4::text is null or control_id = $4 or kind = upper($4))
  and ($5::text is null or id < $5)
order by id desc
limit 51

-- name: message
select id, partner, sender, peer, control_id, sha256, kind, event, received_at, message_at, raw,
       size, batch, state, flags, reason_code, reason_fr, reason_en, attempts, settled_at, ack,
       patient, resources, resource_count
from hl7v2.message
where tenant = $1 and id = $2

-- name: neighbours
-- Other messages of the same delivery or with the same number from the same sender.
select id, control_id, kind, state, received_at from hl7v2.message
where tenant = $1 and id <> $2 and (
  (batch is not null and batch = $3)
  or (sender = $4 and control_id = $5 and control_id <> ''))
order by id
limit 20

-- name: replayable
-- Every failed or held message of a partner, oldest first.
select id from hl7v2.message
where tenant = $1 and partner = $2 and state in ('failed', 'held')
order by id
limit 5000
