-- name: find
-- One subscription.
select * from subscription.state
where tenant = current_setting('liane.tenant')::smallint and id = $1;

-- name: find_many
-- Several subscriptions, or all of one owner ($2), in order of id.
select * from subscription.state
where tenant = current_setting('liane.tenant')::smallint
  and ($1::text[] is null or id = any($1)) and ($2::text is null or owner_id = $2)
  and ($3::text[] is null or status = any($3))
order by id limit $4;

-- name: lock_place
-- Where the feed has been turned into events up to; held until the commit.
select position from subscription.place
where tenant = current_setting('liane.tenant')::smallint for update;

-- name: take_place
-- The same, unless another process holds it.
select position from subscription.place
where tenant = current_setting('liane.tenant')::smallint for update skip locked;

-- name: open_place
-- The first subscription of a tenant begins with what happens from now on.
insert into subscription.place (tenant, position)
select $1::smallint, coalesce(max(last), 0) from record.announced where tenant = $1::smallint
on conflict do nothing;

-- name: move_place
-- Everything up to here has been turned into events.
update subscription.place set position = $1
where tenant = current_setting('liane.tenant')::smallint;

-- name: ask
-- What an owner asks for, new or changed. Numbers go on; what failed before is forgotten.
insert into subscription.state as s (tenant, id, revision, asked, status, topic, channel, host,
  heartbeat_seconds, ends, owner_kind, owner_id, owner_name, owner_login, owner_scopes,
  owner_establishment, next_at, greeted)
values ($1, $2, 1, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $4 = 'active')
on conflict (tenant, id) do update set
  revision = s.revision + 1, asked = excluded.asked, status = excluded.status,
  topic = excluded.topic, channel = excluded.channel, host = excluded.host,
  heartbeat_seconds = excluded.heartbeat_seconds, ends = excluded.ends,
  owner_kind = excluded.owner_kind, owner_id = excluded.owner_id,
  owner_name = excluded.owner_name, owner_login = excluded.owner_login,
  owner_scopes = excluded.owner_scopes, owner_establishment = excluded.owner_establishment,
  greeted = case excluded.status when 'requested' then false when 'active' then true
                 else s.greeted end,
  failures = 0, failing_since = null, last_error = null, last_error_fr = null,
  next_at = excluded.next_at;

-- name: switch_off
-- Its owner wants to hear no more; what was numbered can still be asked for.
update subscription.state set status = 'off', revision = revision + 1, lease_by = null
where tenant = current_setting('liane.tenant')::smallint and id = $1;

-- name: forget
-- A Subscription was deleted: nothing of it stays.
with gone as (
  delete from subscription.event
  where tenant = current_setting('liane.tenant')::smallint and subscription = $1
)
delete from subscription.state
where tenant = current_setting('liane.tenant')::smallint and id = $1;

-- name: live
-- Subscriptions that events may concern.
select * from subscription.state
where tenant = current_setting('liane.tenant')::smallint and status in ('active', 'error')
  and greeted
order by id;

-- name: any_live
-- Whether events concern anybody.
select exists (
  select from subscription.state
  where tenant = current_setting('liane.tenant')::smallint and status in ('active', 'error')
    and greeted
);

-- name: bodies
-- The text of versions, current or past; a deletion has none.
select w.n, coalesce(r.body, h.body) as body
from unnest($1::text[], $2::text[], $3::int[]) with ordinality as w(type, id, version, n)
left join lateral (
  select body from record.resource
  where tenant = current_setting('liane.tenant')::smallint and type = w.type and id = w.id
    and version = w.version limit 1
) r on true
left join lateral (
  select body from record.history
  where r.body is null and tenant = current_setting('liane.tenant')::smallint
    and type = w.type and id = w.id and version = w.version limit 1
) h on true
order by w.n;

-- name: number_events
-- Give each event its number: subscriptions in $2 with their counts in $3, events in order.
with counted as (
  update subscription.state s set events = s.events + u.count
  from unnest($2::text[], $3::int[]) as u(id, count)
  where s.tenant = current_setting('liane.tenant')::smallint and s.id = u.id
  returning s.id, s.events - u.count as before
)
insert into subscription.event (tenant, subscription, number, at, action, type, id, version, patient)
select $1::smallint, e.subscription, c.before + e.nth, e.at, e.action, e.type, e.id, e.version, e.patient
from unnest($4::text[], $5::int[], $6::timestamptz[], $7::text[], $8::text[], $9::text[],
            $10::int[], $11::text[]) as e(subscription, nth, at, action, type, id, version, patient)
join counted c on c.id = e.subscription;

-- name: wake
-- Tell the processes that there are new events: once for each batch.
select pg_notify('liane_subscriptions', $1::text);

-- name: events
-- Events of one subscription by number, both ends included.
select number, at, action, type, id, version, patient from subscription.event
where tenant = current_setting('liane.tenant')::smallint and subscription = $1
  and number between $2 and $3
order by number limit $4;

-- name: forget_events
-- Events older than what may be asked for again; some thousands at a time.
delete from subscription.event
where tenant = current_setting('liane.tenant')::smallint and (subscription, number) in (
  select subscription, number from subscription.event
  where tenant = current_setting('liane.tenant')::smallint and at < $1
  order by at limit 5000
);

-- name: try_now
-- A person wants the receiver tried now.
update subscription.state set next_at = $2
where tenant = current_setting('liane.tenant')::smallint and id = $1 and status <> 'off'
returning id;
