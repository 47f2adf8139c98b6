-- name: begin
-- A new request that is answered later.
insert into work.request (tenant, id, kind, actor, asker, url, ask, asked)
values ($1, $2, $3, $4::jsonb, $5, $6, $7::jsonb, $8);

-- name: open_requests
-- How many requests of one asker are not answered yet.
select count(*) from work.request
where tenant = current_setting('liane.tenant')::smallint and asker = $1 and finished is null;

-- name: load
-- One request.
select id, kind, actor, asker, url, ask, asked, run, done, share, place, result, failure,
       finished, expires
from work.request where tenant = current_setting('liane.tenant')::smallint and id = $1;

-- name: take
-- Begin a run: from now on no earlier run can write.
update work.request set run = run + 1
where tenant = current_setting('liane.tenant')::smallint and id = $1 and finished is null
returning id, kind, actor, asker, url, ask, asked, run, done, share, place, result, failure,
          finished, expires;

-- name: advance
-- How far the run has come; no row when it was cancelled or another run has begun.
update work.request set done = $3, share = $4, place = $5::jsonb
where tenant = current_setting('liane.tenant')::smallint and id = $1 and run = $2
  and finished is null
returning id;

-- name: finish
-- The answer is there, or the refusal, until it expires; what was sent is needed no more.
update work.request
set result = $3::jsonb, failure = $4::jsonb, finished = $5, expires = $6, sent = null
where tenant = current_setting('liane.tenant')::smallint and id = $1 and run = $2
  and finished is null
returning id;

-- name: forget
-- Cancelled or expired.
delete from work.request where tenant = current_setting('liane.tenant')::smallint and id = $1
returning id;

-- name: expired
-- Answers nobody may fetch any more.
select id from work.request
where tenant = current_setting('liane.tenant')::smallint and expires < $1;

-- name: keep_sent
-- The Bundle that a request is about.
update work.request set sent = $2
where tenant = current_setting('liane.tenant')::smallint and id = $1;

-- name: sent
-- The Bundle that a request is about.
select sent from work.request where tenant = current_setting('liane.tenant')::smallint and id = $1;

-- name: hold
-- Keep the request as it is until this commit; no row when it was cancelled or another run has
-- begun.
select id from work.request
where tenant = current_setting('liane.tenant')::smallint and id = $1 and run = $2
  and finished is null
for update;

-- name: tell_entry
-- What became of entry $3 of a batch.
insert into work.request_entry (tenant, request, number, told) values ($1, $2, $3, $4);

-- name: told_entries
-- What became of the entries of a batch, in their order.
select told from work.request_entry
where tenant = current_setting('liane.tenant')::smallint and request = $1 order by number;

-- name: forget_entries
-- The answer holds them now.
delete from work.request_entry
where tenant = current_setting('liane.tenant')::smallint and request = $1;
