-- What pages and DICOMweb show of examinations.

-- name: studies_of
-- A patient's examinations, the latest first; only those the record tells of. The patient of the
-- resource decides: a merge or its undoing moves the examination at once.
select s.study_uid, s.id, s.patient, s.accession, s.description, s.started, s.started_at,
       s.institution, s.establishment, s.source, s.modalities, s.series_count, s.instance_count,
       s.thumbnail, s.first_at, s.last_at
  from imaging.study s
 where s.tenant = $1 and s.patient = $2 and s.instance_count > 0
   and ($3::timestamptz is null or s.first_at <= $3)
 order by s.started_at desc, s.study_uid
 limit $4

-- name: study
select * from imaging.study where tenant = $1 and id = $2

-- name: study_of_uid
select * from imaging.study where tenant = $1 and study_uid = $2

-- name: instance
select i.*, s.patient, s.id as study_id
  from imaging.instance i
  join imaging.study s on s.tenant = i.tenant and s.study_uid = i.study_uid
 where i.tenant = $1 and i.study_uid = $2 and i.sop_uid = $3 and i.state = 'current'

-- name: instances
-- Of an examination, or of one of its series ($3 not empty).
select * from imaging.instance
 where tenant = $1 and study_uid = $2 and state = 'current'
   and ($3 = '' or series_uid = $3)
 order by series_uid, number nulls last, "position" nulls last, sop_uid

-- name: waiting_study
select s.*, s.held as reason,
       (select count(*)::int from imaging.instance i
         where i.tenant = $1 and i.study_uid = s.study_uid and i.state = 'current') as images
  from imaging.study s
 where s.tenant = $1 and s.id = $2

-- name: waiting
-- Examinations in no chart, and objects kept apart, for those who mend identities.
select s.id, s.study_uid, s.held as reason, s.patient_number, s.issuer, s.patient_name, s.birth_date,
       s.description, s.started, s.source, s.last_at, count(i.*)::int as images
  from imaging.study s
  left join imaging.instance i on i.tenant = s.tenant and i.study_uid = s.study_uid
 where s.tenant = $1 and s.patient is null
 group by s.tenant, s.study_uid
 order by s.last_at desc limit 200

-- name: conflicts
select i.study_uid, i.reason, i.patient_number, i.patient_name, i.birth_date, i.source,
       s.id as study_id, s.patient, s.description, max(i.received_at) as last_at,
       count(*)::int as images
  from imaging.instance i
  join imaging.study s on s.tenant = i.tenant and s.study_uid = i.study_uid
 where i.tenant = $1 and i.state = 'conflict'
 group by i.study_uid, i.reason, i.patient_number, i.patient_name, i.birth_date, i.source, s.id,
          s.patient, s.description
 order by max(i.received_at) desc limit 200
