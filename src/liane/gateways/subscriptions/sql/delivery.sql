-- name: claim
-- Take subscriptions that something is due for and that no living process serves.
-- $1 now, $2 this process, $3 channels, $4 hosts in use with $5 how often, $6 most for each host,
-- $7 most for those without failures, $8 most for those that fail.
with alive as (
  select objid::bigint as process from pg_locks
  where locktype = 'advisory' and classid = 7212 and objsubid = 2
    and database = (select oid from pg_database where datname = current_database())
), due as materialized (
  select s.id, s.failures > 0 as failing,
    row_number() over (partition by s.host order by s.next_at, s.id)
      + coalesce((select count from unnest($4::text[], $5::int[]) as u(host, count)
                  where u.host = s.host), 0) as nth,
    row_number() over (partition by s.failures > 0 order by s.next_at, s.id) as turn
  from subscription.state s
  where s.tenant = current_setting('liane.tenant')::smallint and s.channel = any($3::text[])
    and s.status <> 'off' and s.next_at <= $1::timestamptz
    and (s.lease_by is null or s.lease_by not in (select process from alive))
    and (s.status = 'requested' or not s.greeted or s.delivered < s.events or s.ends <= $1::timestamptz
      or (s.heartbeat_seconds > 0
          and s.contacted + make_interval(secs => s.heartbeat_seconds) <= $1::timestamptz))
), chosen as materialized (
  select s.id from subscription.state s join due d on d.id = s.id
  where s.tenant = current_setting('liane.tenant')::smallint and d.nth <= $6::int
    and d.turn <= case when d.failing then $8::int else $7::int end
    and (s.lease_by is null or s.lease_by not in (select process from alive))
  for update of s skip locked
)
update subscription.state s set lease_by = $2::int
from chosen c
where s.tenant = current_setting('liane.tenant')::smallint and s.id = c.id
returning s.*;

-- name: take
-- Serve this subscription from this process, whoever did before (a socket has been opened here).
update subscription.state set lease_by = $2::int
where tenant = current_setting('liane.tenant')::smallint and id = $1
returning *;

-- name: mine
-- The subscription, as long as this process serves it.
select * from subscription.state
where tenant = current_setting('liane.tenant')::smallint and id = $1 and lease_by = $2::int;

-- name: waiting
-- Of the subscriptions served here, the state of all, for those that hold sockets.
select id, status, revision, events, delivered, heartbeat_seconds, contacted
from subscription.state
where tenant = current_setting('liane.tenant')::smallint and lease_by = $1::int and id = any($2::text[]);

-- name: intend
-- The notification about to be sent ends with this event, and so will its repetition.
update subscription.state set sending = $3
where tenant = current_setting('liane.tenant')::smallint and id = $1 and lease_by = $2::int;

-- name: delivered
-- The receiver has taken everything up to this number.
update subscription.state
set delivered = greatest(delivered, $3), contacted = $4, failures = 0, failing_since = null,
    last_error = null, last_error_fr = null, next_at = $4
where tenant = current_setting('liane.tenant')::smallint and id = $1 and lease_by = $2::int
returning *;

-- name: failed
-- The receiver has not taken it: try again later.
update subscription.state
set failures = failures + 1, failing_since = coalesce(failing_since, $3), last_error = $4,
    last_error_fr = $5, next_at = $6
where tenant = current_setting('liane.tenant')::smallint and id = $1 and lease_by = $2::int
returning *;

-- name: set_status
-- What the subscription is now.
update subscription.state set status = $2, greeted = greeted or $3, last_error = $4,
  last_error_fr = $5
where tenant = current_setting('liane.tenant')::smallint and id = $1 and revision = $6;

-- name: release
-- Another process may serve it.
update subscription.state set lease_by = null
where tenant = current_setting('liane.tenant')::smallint and id = $1 and lease_by = $2::int;

-- name: bind
-- A token for the WebSocket channel.
insert into subscription.binding (tenant, token, subscriptions, owner_id, expires)
values ($1, $2, $3, $4, $5);

-- name: bound
-- What a token opens, while it is valid; a token is used once.
delete from subscription.binding
where tenant = current_setting('liane.tenant')::smallint and token = $1 and expires > $2
returning subscriptions, owner_id;

-- name: forget_bindings
-- Tokens nobody used in time.
delete from subscription.binding
where tenant = current_setting('liane.tenant')::smallint and expires < $1;
