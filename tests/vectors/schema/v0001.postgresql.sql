CREATE TABLE public.alarm (
    id character varying(32) NOT NULL,
    rule character varying(128) NOT NULL,
    version integer NOT NULL,
    name character varying(64) NOT NULL,
    severity character varying(16) NOT NULL,
    family character varying(32) NOT NULL,
    idx integer NOT NULL,
    device character varying(64) NOT NULL,
    device_name character varying(128) NOT NULL,
    area character varying(256) NOT NULL,
    parent character varying(64) NOT NULL,
    lat double precision,
    lon double precision,
    state character varying(16) NOT NULL,
    standing boolean NOT NULL,
    raised bigint NOT NULL,
    received bigint NOT NULL,
    cleared bigint,
    acknowledged bigint,
    shelved_until bigint,
    evidence text NOT NULL,
    "case" integer,
    revision integer NOT NULL
);
CREATE TABLE public.alarm_event (
    id bigint NOT NULL,
    alarm character varying(32),
    revision integer NOT NULL,
    transition character varying(32),
    "time" bigint NOT NULL,
    event character varying(16) NOT NULL,
    state character varying(16) NOT NULL,
    actor character varying(128) NOT NULL,
    note text NOT NULL
);
CREATE SEQUENCE public.alarm_event_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.alarm_event_id_seq OWNED BY public.alarm_event.id;
CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.announcement (
    id bigint NOT NULL,
    control text NOT NULL
);
CREATE SEQUENCE public.announcement_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.announcement_id_seq OWNED BY public.announcement.id;
CREATE TABLE public.audit (
    id bigint NOT NULL,
    "time" bigint NOT NULL,
    actor character varying(128) NOT NULL,
    action character varying(64) NOT NULL,
    object character varying(192) NOT NULL,
    detail text NOT NULL
);
CREATE SEQUENCE public.audit_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.audit_id_seq OWNED BY public.audit.id;
CREATE TABLE public."case" (
    id integer NOT NULL,
    cause character varying(512) NOT NULL,
    template character varying(64) NOT NULL,
    en character varying(128) NOT NULL,
    zh character varying(128) NOT NULL,
    code character varying(16) NOT NULL,
    severity character varying(16) NOT NULL,
    family character varying(32) NOT NULL,
    device character varying(64) NOT NULL,
    device_name character varying(128) NOT NULL,
    area character varying(256) NOT NULL,
    parent character varying(64) NOT NULL,
    lat double precision,
    lon double precision,
    state character varying(16) NOT NULL,
    crew character varying(64) NOT NULL,
    alarms integer NOT NULL,
    standing integer NOT NULL,
    quiet_since bigint,
    filed bigint NOT NULL,
    dispatched bigint,
    deadline bigint,
    time_left bigint,
    alert bigint,
    overdue bigint,
    repaired bigint,
    proof bigint,
    verified bigint,
    closed bigint,
    reworked integer NOT NULL,
    reopened integer NOT NULL,
    updated bigint NOT NULL,
    revision integer NOT NULL
);
CREATE TABLE public.case_event (
    id bigint NOT NULL,
    "case" integer NOT NULL,
    revision integer NOT NULL,
    "time" bigint NOT NULL,
    event character varying(16) NOT NULL,
    state character varying(16) NOT NULL,
    actor character varying(128) NOT NULL,
    note text NOT NULL,
    alarm character varying(32)
);
CREATE SEQUENCE public.case_event_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.case_event_id_seq OWNED BY public.case_event.id;
CREATE TABLE public.command (
    id character varying(32) NOT NULL,
    seq integer NOT NULL,
    device character varying(64) NOT NULL,
    name character varying(64) NOT NULL,
    args text NOT NULL,
    actor character varying(128) NOT NULL,
    created bigint NOT NULL,
    expires bigint NOT NULL,
    state character varying(16) NOT NULL,
    changed bigint NOT NULL,
    error text NOT NULL
);
CREATE TABLE public.device (
    id character varying(64) NOT NULL,
    family character varying(32) NOT NULL,
    idx integer NOT NULL,
    product character varying(64) NOT NULL,
    name character varying(128) NOT NULL,
    link character varying(64) NOT NULL,
    lat double precision,
    lon double precision,
    grid character varying(32) NOT NULL,
    area character varying(256) NOT NULL,
    owner character varying(128) NOT NULL,
    parent character varying(64) NOT NULL,
    "interval" bigint NOT NULL,
    attributes text NOT NULL,
    retired boolean NOT NULL,
    digest bytea NOT NULL,
    created bigint NOT NULL,
    updated bigint NOT NULL
);
CREATE TABLE public.device_index (
    family character varying(32) NOT NULL,
    idx integer NOT NULL,
    device character varying(64) NOT NULL
);
CREATE TABLE public.meta (
    key character varying(64) NOT NULL,
    value text NOT NULL
);
CREATE TABLE public.outbox (
    id bigint NOT NULL,
    key character varying(192) NOT NULL,
    channel character varying(64) NOT NULL,
    subject character varying(64) NOT NULL,
    event character varying(32) NOT NULL,
    payload text NOT NULL,
    state character varying(16) NOT NULL,
    attempts integer NOT NULL,
    created bigint NOT NULL,
    next_at bigint NOT NULL,
    delivered bigint,
    error text NOT NULL
);
CREATE SEQUENCE public.outbox_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.outbox_id_seq OWNED BY public.outbox.id;
CREATE TABLE public.parameter (
    rule character varying(128) NOT NULL,
    name character varying(64) NOT NULL,
    scope character varying(320) NOT NULL,
    version integer NOT NULL,
    value double precision,
    author character varying(128) NOT NULL,
    reason text NOT NULL,
    "time" bigint NOT NULL
);
CREATE TABLE public.quarantine (
    id bigint NOT NULL,
    "time" bigint NOT NULL,
    reason character varying(32) NOT NULL,
    device character varying(64) NOT NULL,
    origin character varying(192) NOT NULL,
    topic character varying(512) NOT NULL,
    payload bytea NOT NULL,
    detail text NOT NULL
);
CREATE SEQUENCE public.quarantine_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.quarantine_id_seq OWNED BY public.quarantine.id;
CREATE TABLE public.rule_version (
    rule character varying(128) NOT NULL,
    version integer NOT NULL,
    document text NOT NULL,
    shipped character varying(64) NOT NULL,
    author character varying(128) NOT NULL,
    reason text NOT NULL,
    "time" bigint NOT NULL
);
CREATE TABLE public.session (
    name character varying(64) NOT NULL,
    client character varying(256) NOT NULL,
    state text NOT NULL
);
CREATE TABLE public.source (
    name character varying(64) NOT NULL,
    filters text NOT NULL,
    devices text,
    area character varying(256),
    digest bytea NOT NULL,
    created bigint NOT NULL
);
CREATE TABLE public.token (
    id bigint NOT NULL,
    name character varying(64) NOT NULL,
    role character varying(16) NOT NULL,
    digest bytea NOT NULL,
    created bigint NOT NULL,
    creator character varying(128) NOT NULL,
    revoked bigint
);
CREATE SEQUENCE public.token_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.token_id_seq OWNED BY public.token.id;
ALTER TABLE ONLY public.alarm_event ALTER COLUMN id SET DEFAULT nextval('public.alarm_event_id_seq'::regclass);
ALTER TABLE ONLY public.announcement ALTER COLUMN id SET DEFAULT nextval('public.announcement_id_seq'::regclass);
ALTER TABLE ONLY public.audit ALTER COLUMN id SET DEFAULT nextval('public.audit_id_seq'::regclass);
ALTER TABLE ONLY public.case_event ALTER COLUMN id SET DEFAULT nextval('public.case_event_id_seq'::regclass);
ALTER TABLE ONLY public.outbox ALTER COLUMN id SET DEFAULT nextval('public.outbox_id_seq'::regclass);
ALTER TABLE ONLY public.quarantine ALTER COLUMN id SET DEFAULT nextval('public.quarantine_id_seq'::regclass);
ALTER TABLE ONLY public.token ALTER COLUMN id SET DEFAULT nextval('public.token_id_seq'::regclass);
INSERT INTO public.alarm VALUES ('bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', 'manhole-open', 1, 'coverOpened', 'critical', 'manhole', 0, 'MH-0042', '和平路 42', 'xuhui/tianping', '', 31.2, 121.4, 'active', true, 1790000000000000, 1790000000000002, NULL, NULL, NULL, '{"tilt":31.0}', 1, 1);
INSERT INTO public.alarm VALUES ('dddddddddddddddddddddddddddddddd', 'manhole-open', 1, 'coverOpened', 'critical', 'manhole', 0, 'MH-0042', '', '', '', NULL, NULL, 'cleared', false, 1789999999999991, 1789999999999992, 1789999999999995, 1789999999999994, NULL, '{}', NULL, 3);
INSERT INTO public.alarm_event VALUES (1, 'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', 1, 'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', 1790000000000000, 'raise', 'active', 'telemetry', '');
INSERT INTO public.alarm_event VALUES (2, NULL, 1, 'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee', 1790000000000000, 'clear', 'cleared', 'telemetry', '');
INSERT INTO public.alembic_version VALUES ('0001');
INSERT INTO public.announcement VALUES (7, '{"type":"devices","family":"manhole","rows":[{"index":1,"id":"MH-0043","product":"generic-manhole"}]}');
INSERT INTO public.audit VALUES (1, 1790000000000000, 'token:first', 'created', 'device:MH-0042', '{}');
INSERT INTO public.audit VALUES (2, 1790000000000001, 'token:first', 'changed', 'device:MH-0042', '{"name":"和平路 42"}');
INSERT INTO public."case" VALUES (1, 'cover-danger:MH-0042', 'cover-danger', 'Cover displaced', '井盖移位', '0206', 'critical', 'manhole', 'MH-0042', '和平路 42', 'xuhui/tianping', '', 31.2, 121.4, 'dispatched', 'crew-3', 1, 1, NULL, 1790000000000000, 1790000000000001, 1790007200000000, NULL, 1790003600000000, NULL, NULL, NULL, NULL, NULL, 0, 0, 1790000000000001, 2);
INSERT INTO public.case_event VALUES (1, 1, 1, 1790000000000000, 'file', 'filed', 'gateway', '', 'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb');
INSERT INTO public.case_event VALUES (2, 1, 2, 1790000000000001, 'dispatch', 'dispatched', 'gateway', '到 crew-3', NULL);
INSERT INTO public.command VALUES ('cccccccccccccccccccccccccc', 1, 'MH-0042', 'set_interval', '{"seconds":60}', 'token:first', 1790000000000000, 1790000060000000, 'queued', 1790000000000000, '');
INSERT INTO public.device VALUES ('MH-0042', 'manhole', 0, 'generic-manhole', '和平路 42', '', 31.2, 121.4, '310104001001001', 'xuhui/tianping', '排水公司', '', 0, '{"depth":2.5}', false, '\x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f', 1790000000000000, 1790000000000001);
INSERT INTO public.device VALUES ('MH-0043', 'manhole', 1, 'generic-manhole', '', 'district-broker', NULL, NULL, '', 'xuhui', '', 'MH-0042', 900000000, '{}', true, '\x0000000000000000000000000000000000000000000000000000000000000000', 1790000000000000, 1790000000000000);
INSERT INTO public.device_index VALUES ('manhole', 0, 'MH-0042');
INSERT INTO public.device_index VALUES ('manhole', 1, 'MH-0043');
INSERT INTO public.device_index VALUES ('dust', 0, 'MH-0043');
INSERT INTO public.meta VALUES ('horizon', '1790000000000000');
INSERT INTO public.outbox VALUES (1, 'case:1:2', 'log', 'case:1', 'case.dispatch', '{"case":1,"zh":"井盖移位"}', 'pending', 2, 1790000000000000, 1790000000000005, NULL, 'HTTP 503');
INSERT INTO public.parameter VALUES ('manhole-open', 'limit', 'area:xuhui', 1, 25, 'token:first', 'road works', 1790000000000000);
INSERT INTO public.parameter VALUES ('manhole-open', 'limit', 'area:xuhui', 2, NULL, 'token:first', 'over', 1790000000000003);
INSERT INTO public.quarantine VALUES (1, 1790000000000000, 'not_json', 'MH-0042', 'mqtt:MH-0042@10.0.0.7:51515', 'city/manhole/MH-0042/telemetry', '\x00ff7b27', 'byte 0');
INSERT INTO public.rule_version VALUES ('manhole-open', 1, '{"id":"manhole-open","family":"manhole","when":"tilt > limit","limit":{"value":15,"unit":"deg","min":5,"max":60},"severity":"critical","alarm":"coverOpened","version":1}', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'gateway', 'came with citygate', 1790000000000000);
INSERT INTO public.rule_version VALUES ('manhole-open', 2, '{"id":"manhole-open","family":"manhole","when":"tilt > limit","limit":{"value":20,"unit":"deg","min":5,"max":60},"severity":"critical","alarm":"coverOpened","version":2}', '', 'token:first', '太敏感', 1790000000000009);
INSERT INTO public.session VALUES ('MH-0042', 'cover-1', '{"expiry":86400,"subscriptions":{"city/manhole/MH-0042/command":1}}');
INSERT INTO public.source VALUES ('lora', '["application/#"]', NULL, 'xuhui', '\x0707070707070707070707070707070707070707070707070707070707070707', 1790000000000000);
INSERT INTO public.source VALUES ('bridge', '["city/#"]', '["MH-0042"]', NULL, '\x0808080808080808080808080808080808080808080808080808080808080808', 1790000000000000);
INSERT INTO public.token VALUES (1, 'first', 'admin', '\x0101010101010101010101010101010101010101010101010101010101010101', 1790000000000000, 'gateway', NULL);
INSERT INTO public.token VALUES (2, 'wall', 'viewer', '\x0202020202020202020202020202020202020202020202020202020202020202', 1790000000000000, 'token:first', 1790000000000005);
SELECT pg_catalog.setval('public.alarm_event_id_seq', 100, true);
SELECT pg_catalog.setval('public.announcement_id_seq', 100, true);
SELECT pg_catalog.setval('public.audit_id_seq', 100, true);
SELECT pg_catalog.setval('public.case_event_id_seq', 100, true);
SELECT pg_catalog.setval('public.outbox_id_seq', 100, true);
SELECT pg_catalog.setval('public.quarantine_id_seq', 100, true);
SELECT pg_catalog.setval('public.token_id_seq', 100, true);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.alarm
    ADD CONSTRAINT pk_alarm PRIMARY KEY (id);
ALTER TABLE ONLY public.alarm_event
    ADD CONSTRAINT pk_alarm_event PRIMARY KEY (id);
ALTER TABLE ONLY public.announcement
    ADD CONSTRAINT pk_announcement PRIMARY KEY (id);
ALTER TABLE ONLY public.audit
    ADD CONSTRAINT pk_audit PRIMARY KEY (id);
ALTER TABLE ONLY public."case"
    ADD CONSTRAINT pk_case PRIMARY KEY (id);
ALTER TABLE ONLY public.case_event
    ADD CONSTRAINT pk_case_event PRIMARY KEY (id);
ALTER TABLE ONLY public.command
    ADD CONSTRAINT pk_command PRIMARY KEY (id);
ALTER TABLE ONLY public.device
    ADD CONSTRAINT pk_device PRIMARY KEY (id);
ALTER TABLE ONLY public.device_index
    ADD CONSTRAINT pk_device_index PRIMARY KEY (family, idx);
ALTER TABLE ONLY public.meta
    ADD CONSTRAINT pk_meta PRIMARY KEY (key);
ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT pk_outbox PRIMARY KEY (id);
ALTER TABLE ONLY public.parameter
    ADD CONSTRAINT pk_parameter PRIMARY KEY (rule, name, scope, version);
ALTER TABLE ONLY public.quarantine
    ADD CONSTRAINT pk_quarantine PRIMARY KEY (id);
ALTER TABLE ONLY public.rule_version
    ADD CONSTRAINT pk_rule_version PRIMARY KEY (rule, version);
ALTER TABLE ONLY public.session
    ADD CONSTRAINT pk_session PRIMARY KEY (name, client);
ALTER TABLE ONLY public.source
    ADD CONSTRAINT pk_source PRIMARY KEY (name);
ALTER TABLE ONLY public.token
    ADD CONSTRAINT pk_token PRIMARY KEY (id);
ALTER TABLE ONLY public.alarm_event
    ADD CONSTRAINT uq_alarm_event_transition UNIQUE (transition);
ALTER TABLE ONLY public.case_event
    ADD CONSTRAINT uq_case_event_case_revision UNIQUE ("case", revision);
ALTER TABLE ONLY public.device
    ADD CONSTRAINT uq_device_family_idx UNIQUE (family, idx);
ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT uq_outbox_channel_key UNIQUE (channel, key);
ALTER TABLE ONLY public.token
    ADD CONSTRAINT uq_token_digest UNIQUE (digest);
ALTER TABLE ONLY public.token
    ADD CONSTRAINT uq_token_name UNIQUE (name);
CREATE INDEX ix_alarm_case ON public.alarm USING btree ("case");
CREATE INDEX ix_alarm_device ON public.alarm USING btree (family, device, raised);
CREATE INDEX ix_alarm_event_alarm ON public.alarm_event USING btree (alarm, id);
CREATE INDEX ix_alarm_raised ON public.alarm USING btree (raised, id);
CREATE INDEX ix_alarm_shelved_until ON public.alarm USING btree (shelved_until);
CREATE INDEX ix_audit_object ON public.audit USING btree (object, id);
CREATE INDEX ix_case_alert ON public."case" USING btree (alert);
CREATE INDEX ix_case_cause ON public."case" USING btree (cause, closed);
CREATE INDEX ix_case_device ON public."case" USING btree (family, device);
CREATE INDEX ix_case_filed ON public."case" USING btree (filed, id);
CREATE INDEX ix_case_proof ON public."case" USING btree (proof);
CREATE INDEX ix_command_device ON public.command USING btree (device, seq);
CREATE INDEX ix_command_state ON public.command USING btree (state, expires);
CREATE INDEX ix_device_area ON public.device USING btree (area, id);
CREATE INDEX ix_device_index_device ON public.device_index USING btree (device);
CREATE INDEX ix_device_parent ON public.device USING btree (parent);
CREATE INDEX ix_outbox_delivered ON public.outbox USING btree (delivered);
CREATE INDEX ix_outbox_due ON public.outbox USING btree (channel, state, id);
CREATE INDEX ix_outbox_subject ON public.outbox USING btree (channel, subject, state, id);
CREATE INDEX ix_quarantine_reason ON public.quarantine USING btree (reason, id);
CREATE UNIQUE INDEX uq_alarm_uncleared ON public.alarm USING btree (family, idx, rule) WHERE ((state)::text <> 'cleared'::text);
CREATE UNIQUE INDEX uq_case_open_cause ON public."case" USING btree (cause) WHERE ((state)::text <> ALL ((ARRAY['closed'::character varying, 'void'::character varying])::text[]));
ALTER TABLE ONLY public.command
    ADD CONSTRAINT fk_command_device FOREIGN KEY (device) REFERENCES public.device(id);
ALTER TABLE ONLY public.device_index
    ADD CONSTRAINT fk_device_index_device FOREIGN KEY (device) REFERENCES public.device(id);
