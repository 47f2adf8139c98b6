-- Index of received images: what is known already, what is added, what the record must still say.

-- name: known_studies
-- The examinations of these UIDs that we have.
select study_uid, id, patient, held, identity_key
  from imaging.study
 where tenant = $1 and study_uid = any($2::text[])

-- name: known_instances
-- Objects of these UIDs that we have, whatever their bytes.
select sop_uid, sha256, state, reason, study_uid
  from imaging.instance
 where tenant = $1 and sop_uid = any($2::text[])

-- name: add_expected
-- The usual case in one statement: new objects of known examinations of the same person. Gives
-- back those that were added; every other one is looked at closely by `add_instances`.
with incoming as (
  select * from json_to_recordset($2::json) as i(
    sop_uid text, sha256 text, study_uid text, series_uid text, state text, reason text,
    sop_class text, transfer_syntax text, number integer, "position" double precision,
    rows integer, columns integer, frames integer, photometric text, bits integer, size bigint,
    dataset_offset integer, pixel_offset bigint, pixel_length bigint, fragments integer,
    given_uid text, patient_number text, patient_name text, birth_date text, source text,
    modality text, series_number integer, series_description text, body_part text,
    laterality text, station text, series_started text, identity_key text)
), expected as (
  select i.*, s.id, s.patient, s.held
    from incoming i
    join imaging.study s on s.tenant = $1 and s.study_uid = i.study_uid
                        and s.identity_key = i.identity_key
   where not exists (select from imaging.instance k where k.tenant = $1 and k.sop_uid = i.sop_uid)
), series as (
  insert into imaging.series (tenant, study_uid, series_uid, modality, number, description,
                              body_part, laterality, station, started)
  select distinct on (study_uid, series_uid) $1::smallint, study_uid, series_uid, modality,
         series_number, series_description, body_part, laterality, station, series_started
    from expected
  on conflict do nothing
), stale as (
  update imaging.study set stale = true, listed = false, last_at = $3
   where tenant = $1 and study_uid in (select study_uid from expected) and (listed or not stale)
), added as (
  insert into imaging.instance (tenant, sop_uid, sha256, study_uid, series_uid, state, reason,
    sop_class, transfer_syntax, number, "position", rows, columns, frames, photometric, bits, size,
    dataset_offset, pixel_offset, pixel_length, fragments, given_uid, patient_number,
    patient_name, birth_date, source, received_at)
  select $1, sop_uid, sha256, study_uid, series_uid, 'current', '', sop_class, transfer_syntax,
         number, "position", rows, columns, frames, photometric, bits, size, dataset_offset,
         pixel_offset, pixel_length, fragments, given_uid, patient_number, patient_name,
         birth_date, source, $3
    from expected
  on conflict do nothing
  returning sop_uid, sha256
)
select e.sop_uid, e.sha256, e.id, e.patient, e.held
  from expected e join added using (sop_uid, sha256)

-- name: lock_study
-- Two machines may send the first images of one examination at the same moment.
select pg_advisory_xact_lock(hashtextextended($1::text || '/' || $2::text, 40))

-- name: add_study
insert into imaging.study (tenant, study_uid, id, patient, held, identity_key, patient_number,
  issuer, patient_name, birth_date, sex, accession, description, started, started_at, institution,
  establishment, source, first_at, last_at)
select $1, s.study_uid, s.id, s.patient, s.held, s.identity_key, s.patient_number, s.issuer,
       s.patient_name, s.birth_date, s.sex, s.accession, s.description, s.started, s.started_at,
       s.institution, s.establishment, s.source, $3, $3
  from json_to_record($2::json) as s(study_uid text, id text, patient text, held text,
       identity_key text, patient_number text, issuer text, patient_name text, birth_date text,
       sex text, accession text, description text, started text, started_at timestamptz,
       institution text, establishment text, source text)

-- name: add_instances
-- Images, their series when new, and the mark that the resource no longer tells everything.
with incoming as (
  select * from json_to_recordset($2::json) as i(
    sop_uid text, sha256 text, study_uid text, series_uid text, state text, reason text,
    sop_class text, transfer_syntax text, number integer, "position" double precision,
    rows integer, columns integer, frames integer, photometric text, bits integer, size bigint,
    dataset_offset integer, pixel_offset bigint, pixel_length bigint, fragments integer,
    given_uid text, patient_number text, patient_name text, birth_date text, source text,
    modality text, series_number integer, series_description text, body_part text,
    laterality text, station text, series_started text)
), series as (
  insert into imaging.series (tenant, study_uid, series_uid, modality, number, description,
                              body_part, laterality, station, started)
  select distinct on (study_uid, series_uid) $1::smallint, study_uid, series_uid, modality,
         series_number, series_description, body_part, laterality, station, series_started
    from incoming where state = 'current'
  on conflict do nothing
), stale as (
  update imaging.study set stale = true, listed = false, last_at = $3
   where tenant = $1
     and study_uid in (select study_uid from incoming where state = 'current')
)
insert into imaging.instance (tenant, sop_uid, sha256, study_uid, series_uid, state, reason,
  sop_class, transfer_syntax, number, "position", rows, columns, frames, photometric, bits, size,
  dataset_offset, pixel_offset, pixel_length, fragments, given_uid, patient_number, patient_name,
  birth_date, source, received_at)
select $1, sop_uid, sha256, study_uid, series_uid, state, reason, sop_class, transfer_syntax,
       number, "position", rows, columns, frames, photometric, bits, size, dataset_offset,
       pixel_offset, pixel_length, fragments, given_uid, patient_number, patient_name, birth_date,
       source, $3
  from incoming
on conflict (tenant, sop_uid, sha256) do nothing

-- name: study_to_publish
-- One publisher at a time; the lock is held until its resource is committed.
select * from imaging.study where tenant = $1 and study_uid = $2 for update

-- name: series_of_study
-- Series with what they hold now. Pictures: objects that have rows and columns.
select s.*, i.instance_count, i.pictures
  from imaging.series s
  join (select series_uid, count(*)::int as instance_count,
               (count(*) filter (where rows > 0 and columns > 0))::int as pictures
          from imaging.instance
         where tenant = $1 and study_uid = $2 and state = 'current'
         group by series_uid) i using (series_uid)
 where s.tenant = $1 and s.study_uid = $2
 order by s.number nulls last, s.series_uid

-- name: instances_of_study
select sop_uid, series_uid, sop_class, number
  from imaging.instance
 where tenant = $1 and study_uid = $2 and state = 'current'
 order by series_uid, number nulls last, "position" nulls last, sop_uid

-- name: published
update imaging.study
   set stale = false, listed = $3, series_count = $4, instance_count = $5, modalities = $6
 where tenant = $1 and study_uid = $2

-- name: unfinished
-- Examinations whose resource does not tell of every image: after a crash, or still arriving.
select study_uid from imaging.study
 where tenant = $1 and patient is not null and (stale or not listed) and last_at < $2
 order by last_at limit 200

-- name: without_thumbnail
select study_uid from imaging.study
 where tenant = $1 and patient is not null and listed and thumbnail_of <> instance_count
   and last_at > $2
 order by last_at desc limit 50

-- name: held_of
-- Examinations of this number that wait for their patient.
select study_uid, patient_number, issuer, source, held from imaging.study
 where tenant = $1 and patient is null and ($2 = '' or patient_number = $2)
 order by last_at limit 500

-- name: attach
update imaging.study set patient = $3, held = '', stale = true, listed = false
 where tenant = $1 and study_uid = $2

-- name: thumbnail_made
update imaging.study set thumbnail = $3, thumbnail_of = $4
 where tenant = $1 and study_uid = $2

-- name: pictures_of_series
-- Objects of a series that can be shown, in the order a reader scrolls through them.
select *
  from imaging.instance
 where tenant = $1 and study_uid = $2 and series_uid = $3 and state = 'current'
   and rows > 0 and columns > 0
 order by number nulls last, "position" nulls last, sop_uid

-- name: moved
-- The resource names another patient than the index does.
update imaging.study s set patient = m.patient
  from unnest($2::text[], $3::text[]) as m(id, patient)
 where s.tenant = $1 and s.id = m.id and s.patient is not null and s.patient <> m.patient
