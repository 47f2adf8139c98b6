-- What the interfaces page shows of machines that send images, and what the port has to tell it.

-- name: partners
-- How each machine is doing: what came in 24 hours and in 5 minutes, and when it last sent.
select p.id, p.name, p.allowed, p.titles, p.called, p.addresses, p.unknown_patient, p.quarantine,
       m.received, m.recent, l.last
  from imaging.partner p
  left join lateral (
    select count(*) as received,
           count(*) filter (where received_at > $2::timestamptz - interval '5 minutes') as recent
      from imaging.instance
     where tenant = $1 and source = p.name and received_at > $2::timestamptz - interval '24 hours'
  ) m on true
  left join lateral (
    select received_at as last from imaging.instance
     where tenant = $1 and source = p.name
     order by received_at desc limit 1
  ) l on true
 where p.tenant = $1
 order by p.name, p.id

-- name: waiting
-- Images in no chart, whatever their age: examinations without a patient, and images kept apart.
select s.source, s.held as reason, count(*) as studies, coalesce(sum(i.images), 0)::bigint as images
  from imaging.study s
  left join lateral (
    select count(*) as images from imaging.instance
     where tenant = $1 and study_uid = s.study_uid and state = 'current'
  ) i on true
 where s.tenant = $1 and s.patient is null
 group by s.source, s.held
union all
select source, reason, count(distinct study_uid), count(*)
  from imaging.instance
 where tenant = $1 and state = 'conflict'
 group by source, reason
 order by source, reason

-- name: refused
-- What was turned away in the last 24 hours, and why.
select r.partner, coalesce(p.name, '') as name, r.address, r.reason, sum(r.times)::bigint as times,
       max(r.last_at) as last,
       (array_agg(r.calling order by r.last_at desc))[1] as calling,
       (array_agg(r.called order by r.last_at desc))[1] as called,
       (array_agg(r.detail order by r.last_at desc))[1] as detail
  from imaging.refusal r
  left join imaging.partner p on p.tenant = $1 and p.id = r.partner
 where r.tenant = $1 and r.last_at > $2::timestamptz - interval '24 hours'
   and r.since > $2::timestamptz - interval '25 hours'
 group by r.partner, p.name, r.address, r.reason
 order by last desc
 limit 50

-- name: count_refusals
insert into imaging.refusal (tenant, since, partner, address, reason, calling, called, detail,
                             times, last_at)
select $1, date_trunc('hour', $2::timestamptz), r.partner, r.address, r.reason, r.calling, r.called,
       r.detail, r.times, $2
  from json_to_recordset($3::json) as r(partner text, address text, reason text, calling text,
                                        called text, detail text, times bigint)
on conflict (tenant, since, partner, address, reason) do update set
  calling = excluded.calling, called = excluded.called, detail = excluded.detail,
  times = refusal.times + excluded.times, last_at = excluded.last_at

-- name: forget_refusals
-- Refused objects are nowhere else, so their count is kept for three months.
delete from imaging.refusal where tenant = $1 and since < $2::timestamptz - interval '90 days'
