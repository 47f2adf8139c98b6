-- Searches of QIDO-RS. Each condition is passed over when its argument is null; the placeholder
-- /*visible*/ becomes the gate's predicate, so that counts and pages tell nothing of hidden rows.

-- name: studies
select s.* from imaging.study s
 where s.tenant = $1 and s.patient is not null and s.instance_count > 0
   and ($2::text[] is null or s.study_uid = any($2))
   and ($3::text is null or s.patient_number like $3)
   and ($4::text is null or s.patient_name ilike $4)
   and ($5::text is null or s.accession like $5)
   and ($6::text is null or replace(left(s.started, 10), '-', '') >= $6)
   and ($7::text is null or replace(left(s.started, 10), '-', '') <= $7)
   and ($8::text[] is null or s.modalities && $8)
   and ($9::text is null or s.description ilike $9)
   and /*visible*/
 order by s.started_at desc, s.study_uid
 limit $10 offset $11

-- name: series
select e.*, s.id as study_id, s.patient, i.instance_count
  from imaging.series e
  join imaging.study s on s.tenant = e.tenant and s.study_uid = e.study_uid
  join lateral (select count(*)::int as instance_count from imaging.instance i
                 where i.tenant = e.tenant and i.study_uid = e.study_uid
                   and i.series_uid = e.series_uid and i.state = 'current') i on true
 where e.tenant = $1 and s.patient is not null
   and ($2::text[] is null or e.study_uid = any($2))
   and ($3::text[] is null or e.series_uid = any($3))
   and ($4::text[] is null or e.modality = any($4))
   and ($5::integer is null or e.number = $5)
   and /*visible*/
 order by e.study_uid, e.number nulls last, e.series_uid
 limit $6 offset $7

-- name: instances
select i.*, s.id as study_id, s.patient, e.modality
  from imaging.instance i
  join imaging.study s on s.tenant = i.tenant and s.study_uid = i.study_uid
  join imaging.series e on e.tenant = i.tenant and e.study_uid = i.study_uid
                       and e.series_uid = i.series_uid
 where i.tenant = $1 and s.patient is not null and i.state = 'current'
   and ($2::text[] is null or i.study_uid = any($2))
   and ($3::text[] is null or i.series_uid = any($3))
   and ($4::text[] is null or i.sop_uid = any($4))
   and ($5::text[] is null or i.sop_class = any($5))
   and ($6::integer is null or i.number = $6)
   and /*visible*/
 order by i.study_uid, i.series_uid, i.number nulls last, i."position" nulls last, i.sop_uid
 limit $7 offset $8
