-- Tables that the examples write into (MySQL, MariaDB and SQLite alike).
CREATE TABLE product_group (id BIGINT PRIMARY KEY, name VARCHAR(100), parent_id BIGINT);
CREATE TABLE trade (sid BIGINT PRIMARY KEY, tid VARCHAR(64), payment DECIMAL(12,2), shop_name VARCHAR(100), orders TEXT);
CREATE TABLE purchase (entry_id BIGINT PRIMARY KEY, bill_no VARCHAR(40), material VARCHAR(40), qty DECIMAL(12,2));
CREATE TABLE approval (sp_no VARCHAR(40) PRIMARY KEY, title VARCHAR(200), status INT);
CREATE TABLE vendor (id BIGINT PRIMARY KEY, code VARCHAR(40), pubts VARCHAR(30));
CREATE TABLE material (number VARCHAR(40) PRIMARY KEY, name VARCHAR(100), qty DECIMAL(12,2));
CREATE TABLE outbound_order (io_id BIGINT PRIMARY KEY, o_id BIGINT, so_id VARCHAR(64), status VARCHAR(30), pay_amount VARCHAR(30), modified VARCHAR(30), items TEXT);
CREATE TABLE shop_register (code VARCHAR(40) PRIMARY KEY, name VARCHAR(100), site VARCHAR(40));
