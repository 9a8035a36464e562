CREATE TABLE alarm (
	id VARCHAR(32) NOT NULL, 
	rule VARCHAR(128) NOT NULL, 
	version INTEGER NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	severity VARCHAR(16) NOT NULL, 
	family VARCHAR(32) NOT NULL, 
	idx INTEGER NOT NULL, 
	device VARCHAR(64) NOT NULL, 
	device_name VARCHAR(128) NOT NULL, 
	area VARCHAR(256) NOT NULL, 
	parent VARCHAR(64) NOT NULL, 
	lat FLOAT, 
	lon FLOAT, 
	state VARCHAR(16) NOT NULL, 
	standing BOOLEAN NOT NULL, 
	raised BIGINT NOT NULL, 
	received BIGINT NOT NULL, 
	cleared BIGINT, 
	acknowledged BIGINT, 
	shelved_until BIGINT, 
	evidence TEXT NOT NULL, 
	"case" INTEGER, 
	revision INTEGER NOT NULL, 
	CONSTRAINT pk_alarm PRIMARY KEY (id)
);
CREATE TABLE alarm_event (
	id INTEGER NOT NULL, 
	alarm VARCHAR(32), 
	revision INTEGER NOT NULL, 
	transition VARCHAR(32), 
	time BIGINT NOT NULL, 
	event VARCHAR(16) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	actor VARCHAR(128) NOT NULL, 
	note TEXT NOT NULL, 
	CONSTRAINT pk_alarm_event PRIMARY KEY (id), 
	CONSTRAINT uq_alarm_event_transition UNIQUE (transition)
);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE announcement (
	id INTEGER NOT NULL, 
	control TEXT NOT NULL, 
	CONSTRAINT pk_announcement PRIMARY KEY (id)
);
CREATE TABLE audit (
	id INTEGER NOT NULL, 
	time BIGINT NOT NULL, 
	actor VARCHAR(128) NOT NULL, 
	action VARCHAR(64) NOT NULL, 
	object VARCHAR(192) NOT NULL, 
	detail TEXT NOT NULL, 
	CONSTRAINT pk_audit PRIMARY KEY (id)
);
CREATE TABLE "case" (
	id INTEGER NOT NULL, 
	cause VARCHAR(512) NOT NULL, 
	template VARCHAR(64) NOT NULL, 
	en VARCHAR(128) NOT NULL, 
	zh VARCHAR(128) NOT NULL, 
	code VARCHAR(16) NOT NULL, 
	severity VARCHAR(16) NOT NULL, 
	family VARCHAR(32) NOT NULL, 
	device VARCHAR(64) NOT NULL, 
	device_name VARCHAR(128) NOT NULL, 
	area VARCHAR(256) NOT NULL, 
	parent VARCHAR(64) NOT NULL, 
	lat FLOAT, 
	lon FLOAT, 
	state VARCHAR(16) NOT NULL, 
	crew VARCHAR(64) NOT NULL, 
	alarms INTEGER NOT NULL, 
	standing INTEGER NOT NULL, 
	quiet_since BIGINT, 
	filed BIGINT NOT NULL, 
	dispatched BIGINT, 
	deadline BIGINT, 
	time_left BIGINT, 
	alert BIGINT, 
	overdue BIGINT, 
	repaired BIGINT, 
	proof BIGINT, 
	verified BIGINT, 
	closed BIGINT, 
	reworked INTEGER NOT NULL, 
	reopened INTEGER NOT NULL, 
	updated BIGINT NOT NULL, 
	revision INTEGER NOT NULL, 
	CONSTRAINT pk_case PRIMARY KEY (id)
);
CREATE TABLE case_event (
	id INTEGER NOT NULL, 
	"case" INTEGER NOT NULL, 
	revision INTEGER NOT NULL, 
	time BIGINT NOT NULL, 
	event VARCHAR(16) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	actor VARCHAR(128) NOT NULL, 
	note TEXT NOT NULL, 
	alarm VARCHAR(32), 
	CONSTRAINT pk_case_event PRIMARY KEY (id), 
	CONSTRAINT uq_case_event_case_revision UNIQUE ("case", revision)
);
CREATE TABLE command (
	id VARCHAR(32) NOT NULL, 
	seq INTEGER NOT NULL, 
	device VARCHAR(64) NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	args TEXT NOT NULL, 
	actor VARCHAR(128) NOT NULL, 
	created BIGINT NOT NULL, 
	expires BIGINT NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	changed BIGINT NOT NULL, 
	error TEXT NOT NULL, 
	CONSTRAINT pk_command PRIMARY KEY (id), 
	CONSTRAINT fk_command_device FOREIGN KEY(device) REFERENCES device (id)
);
CREATE TABLE device (
	id VARCHAR(64) NOT NULL, 
	family VARCHAR(32) NOT NULL, 
	idx INTEGER NOT NULL, 
	product VARCHAR(64) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	link VARCHAR(64) NOT NULL, 
	lat FLOAT, 
	lon FLOAT, 
	grid VARCHAR(32) NOT NULL, 
	area VARCHAR(256) NOT NULL, 
	owner VARCHAR(128) NOT NULL, 
	parent VARCHAR(64) NOT NULL, 
	interval BIGINT NOT NULL, 
	attributes TEXT NOT NULL, 
	retired BOOLEAN NOT NULL, 
	digest BLOB NOT NULL, 
	created BIGINT NOT NULL, 
	updated BIGINT NOT NULL, 
	CONSTRAINT pk_device PRIMARY KEY (id), 
	CONSTRAINT uq_device_family_idx UNIQUE (family, idx)
);
CREATE TABLE device_index (
	family VARCHAR(32) NOT NULL, 
	idx INTEGER NOT NULL, 
	device VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_device_index PRIMARY KEY (family, idx), 
	CONSTRAINT fk_device_index_device FOREIGN KEY(device) REFERENCES device (id)
);
CREATE TABLE meta (
	"key" VARCHAR(64) NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_meta PRIMARY KEY ("key")
);
CREATE TABLE outbox (
	id INTEGER NOT NULL, 
	"key" VARCHAR(192) NOT NULL, 
	channel VARCHAR(64) NOT NULL, 
	subject VARCHAR(64) NOT NULL, 
	event VARCHAR(32) NOT NULL, 
	payload TEXT NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	attempts INTEGER NOT NULL, 
	created BIGINT NOT NULL, 
	next_at BIGINT NOT NULL, 
	delivered BIGINT, 
	error TEXT NOT NULL, 
	CONSTRAINT pk_outbox PRIMARY KEY (id), 
	CONSTRAINT uq_outbox_channel_key UNIQUE (channel, "key")
);
CREATE TABLE parameter (
	rule VARCHAR(128) NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	scope VARCHAR(320) NOT NULL, 
	version INTEGER NOT NULL, 
	value FLOAT, 
	author VARCHAR(128) NOT NULL, 
	reason TEXT NOT NULL, 
	time BIGINT NOT NULL, 
	CONSTRAINT pk_parameter PRIMARY KEY (rule, name, scope, version)
);
CREATE TABLE quarantine (
	id INTEGER NOT NULL, 
	time BIGINT NOT NULL, 
	reason VARCHAR(32) NOT NULL, 
	device VARCHAR(64) NOT NULL, 
	origin VARCHAR(192) NOT NULL, 
	topic VARCHAR(512) NOT NULL, 
	payload BLOB NOT NULL, 
	detail TEXT NOT NULL, 
	CONSTRAINT pk_quarantine PRIMARY KEY (id)
);
CREATE TABLE rule_version (
	rule VARCHAR(128) NOT NULL, 
	version INTEGER NOT NULL, 
	document TEXT NOT NULL, 
	shipped VARCHAR(64) NOT NULL, 
	author VARCHAR(128) NOT NULL, 
	reason TEXT NOT NULL, 
	time BIGINT NOT NULL, 
	CONSTRAINT pk_rule_version PRIMARY KEY (rule, version)
);
CREATE TABLE session (
	name VARCHAR(64) NOT NULL, 
	client VARCHAR(256) NOT NULL, 
	state TEXT NOT NULL, 
	CONSTRAINT pk_session PRIMARY KEY (name, client)
);
CREATE TABLE source (
	name VARCHAR(64) NOT NULL, 
	filters TEXT NOT NULL, 
	devices TEXT, 
	area VARCHAR(256), 
	digest BLOB NOT NULL, 
	created BIGINT NOT NULL, 
	CONSTRAINT pk_source PRIMARY KEY (name)
);
CREATE TABLE token (
	id INTEGER NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	role VARCHAR(16) NOT NULL, 
	digest BLOB NOT NULL, 
	created BIGINT NOT NULL, 
	creator VARCHAR(128) NOT NULL, 
	revoked BIGINT, 
	CONSTRAINT pk_token PRIMARY KEY (id), 
	CONSTRAINT uq_token_digest UNIQUE (digest), 
	CONSTRAINT uq_token_name UNIQUE (name)
);
INSERT INTO "device" VALUES('MH-0042','manhole',0,'generic-manhole','和平路 42','',31.2,121.4,'310104001001001','xuhui/tianping','排水公司','',0,'{"depth":2.5}',0,X'000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F',1790000000000000,1790000000000001);
INSERT INTO "device" VALUES('MH-0043','manhole',1,'generic-manhole','','district-broker',NULL,NULL,'','xuhui','','MH-0042',900000000,'{}',1,X'0000000000000000000000000000000000000000000000000000000000000000',1790000000000000,1790000000000000);
INSERT INTO "alarm" VALUES('bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','manhole-open',1,'coverOpened','critical','manhole',0,'MH-0042','和平路 42','xuhui/tianping','',31.2,121.4,'active',1,1790000000000000,1790000000000002,NULL,NULL,NULL,'{"tilt":31.0}',1,1);
INSERT INTO "alarm" VALUES('dddddddddddddddddddddddddddddddd','manhole-open',1,'coverOpened','critical','manhole',0,'MH-0042','','','',NULL,NULL,'cleared',0,1789999999999991,1789999999999992,1789999999999995,1789999999999994,NULL,'{}',NULL,3);
INSERT INTO "alarm_event" VALUES(1,'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb',1,'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb',1790000000000000,'raise','active','telemetry','');
INSERT INTO "alarm_event" VALUES(2,NULL,1,'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee',1790000000000000,'clear','cleared','telemetry','');
INSERT INTO "alembic_version" VALUES('0001');
INSERT INTO "announcement" VALUES(7,'{"type":"devices","family":"manhole","rows":[{"index":1,"id":"MH-0043","product":"generic-manhole"}]}');
INSERT INTO "audit" VALUES(1,1790000000000000,'token:first','created','device:MH-0042','{}');
INSERT INTO "audit" VALUES(2,1790000000000001,'token:first','changed','device:MH-0042','{"name":"和平路 42"}');
INSERT INTO "case" VALUES(1,'cover-danger:MH-0042','cover-danger','Cover displaced','井盖移位','0206','critical','manhole','MH-0042','和平路 42','xuhui/tianping','',31.2,121.4,'dispatched','crew-3',1,1,NULL,1790000000000000,1790000000000001,1790007200000000,NULL,1790003600000000,NULL,NULL,NULL,NULL,NULL,0,0,1790000000000001,2);
INSERT INTO "case_event" VALUES(1,1,1,1790000000000000,'file','filed','gateway','','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb');
INSERT INTO "case_event" VALUES(2,1,2,1790000000000001,'dispatch','dispatched','gateway','到 crew-3',NULL);
INSERT INTO "command" VALUES('cccccccccccccccccccccccccc',1,'MH-0042','set_interval','{"seconds":60}','token:first',1790000000000000,1790000060000000,'queued',1790000000000000,'');
INSERT INTO "device_index" VALUES('manhole',0,'MH-0042');
INSERT INTO "device_index" VALUES('manhole',1,'MH-0043');
INSERT INTO "device_index" VALUES('dust',0,'MH-0043');
INSERT INTO "meta" VALUES('horizon','1790000000000000');
INSERT INTO "outbox" VALUES(1,'case:1:2','log','case:1','case.dispatch','{"case":1,"zh":"井盖移位"}','pending',2,1790000000000000,1790000000000005,NULL,'HTTP 503');
INSERT INTO "parameter" VALUES('manhole-open','limit','area:xuhui',1,25.0,'token:first','road works',1790000000000000);
INSERT INTO "parameter" VALUES('manhole-open','limit','area:xuhui',2,NULL,'token:first','over',1790000000000003);
INSERT INTO "quarantine" VALUES(1,1790000000000000,'not_json','MH-0042','mqtt:MH-0042@10.0.0.7:51515','city/manhole/MH-0042/telemetry',X'00FF7B27','byte 0');
INSERT INTO "rule_version" VALUES('manhole-open',1,'{"id":"manhole-open","family":"manhole","when":"tilt > limit","limit":{"value":15,"unit":"deg","min":5,"max":60},"severity":"critical","alarm":"coverOpened","version":1}','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','gateway','came with citygate',1790000000000000);
INSERT INTO "rule_version" VALUES('manhole-open',2,'{"id":"manhole-open","family":"manhole","when":"tilt > limit","limit":{"value":20,"unit":"deg","min":5,"max":60},"severity":"critical","alarm":"coverOpened","version":2}','','token:first','太敏感',1790000000000009);
INSERT INTO "session" VALUES('MH-0042','cover-1','{"expiry":86400,"subscriptions":{"city/manhole/MH-0042/command":1}}');
INSERT INTO "source" VALUES('lora','["application/#"]',NULL,'xuhui',X'0707070707070707070707070707070707070707070707070707070707070707',1790000000000000);
INSERT INTO "source" VALUES('bridge','["city/#"]','["MH-0042"]',NULL,X'0808080808080808080808080808080808080808080808080808080808080808',1790000000000000);
INSERT INTO "token" VALUES(1,'first','admin',X'0101010101010101010101010101010101010101010101010101010101010101',1790000000000000,'gateway',NULL);
INSERT INTO "token" VALUES(2,'wall','viewer',X'0202020202020202020202020202020202020202020202020202020202020202',1790000000000000,'token:first',1790000000000005);
CREATE INDEX ix_alarm_case ON alarm ("case");
CREATE INDEX ix_alarm_device ON alarm (family, device, raised);
CREATE INDEX ix_alarm_raised ON alarm (raised, id);
CREATE INDEX ix_alarm_shelved_until ON alarm (shelved_until);
CREATE UNIQUE INDEX uq_alarm_uncleared ON alarm (family, idx, rule) WHERE state <> 'cleared';
CREATE INDEX ix_alarm_event_alarm ON alarm_event (alarm, id);
CREATE INDEX ix_audit_object ON audit (object, id);
CREATE INDEX ix_case_alert ON "case" (alert);
CREATE INDEX ix_case_cause ON "case" (cause, closed);
CREATE INDEX ix_case_device ON "case" (family, device);
CREATE INDEX ix_case_filed ON "case" (filed, id);
CREATE INDEX ix_case_proof ON "case" (proof);
CREATE UNIQUE INDEX uq_case_open_cause ON "case" (cause) WHERE state NOT IN ('closed', 'void');
CREATE INDEX ix_device_area ON device (area, id);
CREATE INDEX ix_device_parent ON device (parent);
CREATE INDEX ix_outbox_delivered ON outbox (delivered);
CREATE INDEX ix_outbox_due ON outbox (channel, state, id);
CREATE INDEX ix_outbox_subject ON outbox (channel, subject, state, id);
CREATE INDEX ix_quarantine_reason ON quarantine (reason, id);
CREATE INDEX ix_command_device ON command (device, seq);
CREATE INDEX ix_command_state ON command (state, expires);
CREATE INDEX ix_device_index_device ON device_index (device);
