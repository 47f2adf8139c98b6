-- Why a subscription fails is read by people too, in their own language and with what to do.
alter table subscription.state add column last_error_fr text;
comment on column subscription.state.last_error is 'Why it fails, in English (as its owner reads it)';
comment on column subscription.state.last_error_fr is 'The same in French';
