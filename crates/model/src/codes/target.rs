//! Codes of the area `target`: writing.

use super::{Code, code};

/// The codes of this area.
pub const CODES: &[Code] = &[
    code(
        "HL-5001",
        ("`main_sql` is missing", "缺少 `main_sql`"),
        (
            "the document has the fields of a table and not the statement that writes them",
            "文档只有字段,没有写入语句",
        ),
        (
            "add it to otherRequest; the message proposes one over the fields",
            "请在 otherRequest 中添加;提示会按字段给出建议",
        ),
    ),
    code(
        "HL-5002",
        ("`main_sql` cannot be read", "`main_sql` 无法识别"),
        ("it is no INSERT or REPLACE with VALUES", "不是带 VALUES 的 INSERT 或 REPLACE"),
        ("write `REPLACE INTO table (columns) VALUES`", "请写成 `REPLACE INTO 表 (列) VALUES`"),
    ),
    code(
        "HL-5003",
        ("columns and fields differ in number", "列数与字段数不一致"),
        (
            "values are bound by position: each column needs its field, in the same order",
            "取值按位置绑定:每列须有对应字段,且顺序一致",
        ),
        ("make both lists the same", "请使两个列表一致"),
    ),
    code(
        "HL-5004",
        ("a SQL connector has no such interface", "SQL 连接器没有该接口"),
        ("`api` is none of the words of databases", "`api` 不是数据库的操作名"),
        (
            "use `batchexecute` or `execute` to write, `select` to read",
            "写入用 `batchexecute` 或 `execute`,读取用 `select`",
        ),
    ),
    code(
        "HL-5010",
        ("the target refuses this record", "目标拒绝该数据"),
        ("the reply to a batch names it as failed", "批量写入的响应将其标为失败"),
        ("read the target's words, mend it, then `heliu retry`", "请按目标提示修正,然后执行 `heliu retry`"),
    ),
    code(
        "HL-5011",
        (
            "the reply to a batch does not say what became of this record",
            "对批次的响应没有说明这条数据的结果",
        ),
        (
            "the reply counts refusals, lists some records or an empty list of results, but says nothing of this one",
            "响应只给出了拒绝数量、部分数据或空的结果列表,没有提到这一条",
        ),
        (
            "look the record up in the target; `heliu retry --state in_doubt` sends it again",
            "请在目标系统中查找该数据;`heliu retry --state in_doubt` 会再次发送",
        ),
    ),
    code(
        "HL-5020",
        ("no connection to the database", "无法连接数据库"),
        ("it is down, the address is wrong, or the connection was lost", "数据库不可用、地址错误或连接中断"),
        (
            "check `heliu test-connector NAME`; the records wait",
            "请执行 `heliu test-connector 名称`;数据会保持等待",
        ),
    ),
    code(
        "HL-5021",
        ("the database connector is wrong", "数据库连接器配置有误"),
        ("a part of it is missing or cannot be read", "缺少配置项或无法识别"),
        ("correct what the message names", "请修正提示的内容"),
    ),
    code(
        "HL-5022",
        ("the database is busy", "数据库繁忙"),
        ("a lock, a deadlock or a full disk", "锁等待、死锁或磁盘已满"),
        (
            "nothing for locks: the batch is repeated; of a full disk, make room",
            "锁会自动重试;磁盘已满请清理",
        ),
    ),
    code(
        "HL-5023",
        ("the database refuses the row", "数据库拒绝该行"),
        ("a value is too long, of the wrong type, or breaks a constraint", "值过长、类型不符或违反约束"),
        ("mend the data or the column, then `heliu retry`", "请修正数据或列定义,然后执行 `heliu retry`"),
    ),
    code(
        "HL-5024",
        ("the statement does not fit the table", "语句与表不符"),
        ("table or column does not exist, or the statement has a fault", "表或列不存在,或语句有误"),
        ("correct `main_sql` or the table", "请修正 `main_sql` 或表结构"),
    ),
    code(
        "HL-5025",
        ("the statement is too large", "语句过大"),
        ("it is larger than the server's max_allowed_packet", "超过服务器的 max_allowed_packet"),
        (
            "nothing for batches: they are cut; one record that is too large alone needs a larger packet",
            "批次会自动拆分;单条过大时请调大该参数",
        ),
    ),
    code(
        "HL-5026",
        ("the database refuses the user", "数据库拒绝该用户"),
        (
            "wrong password, missing grants, or a file that may not be written",
            "密码错误、缺少权限,或文件不可写",
        ),
        ("check user, password and grants of the connector", "请检查连接器的用户名、密码与授权"),
    ),
    code(
        "HL-5027",
        ("another writer holds the lock", "另一个写入者持有锁"),
        ("an older process of this plan is still connected to the database", "该方案的旧进程仍连接着数据库"),
        ("wait, or end the connection that the message names", "请等待,或结束提示中的连接"),
    ),
    code(
        "HL-5028",
        ("the table has no unique index", "表没有唯一索引"),
        ("a repeated write adds the row a second time", "重复写入会产生重复行"),
        ("add a primary key or unique index over the record's id", "请按数据的 id 添加主键或唯一索引"),
    ),
    code(
        "HL-5029",
        ("a column takes no empty value", "列不接受空值"),
        (
            "the value is empty, and the column is neither text nor nullable",
            "值为空,而列既不是文本也不允许 NULL",
        ),
        ("give a `default`, or make the column nullable", "请设置 `default`,或允许该列为 NULL"),
    ),
    code(
        "HL-5030",
        ("rows are read in pages without ORDER BY", "分页读取但没有 ORDER BY"),
        ("the database may give a row twice or not at all", "数据库可能重复或遗漏某些行"),
        ("add ORDER BY a unique column", "请按唯一列添加 ORDER BY"),
    ),
    code(
        "HL-5031",
        ("the encrypted connection was refused", "加密连接被拒绝"),
        (
            "the server’s certificate is not trusted or names another host, or the server offers no TLS",
            "服务器证书不受信任或主机名不符,或服务器不支持 TLS",
        ),
        (
            "give `ssl_ca` (PEM, relative to the project) and the host name of the certificate; or `use_ssl = false`",
            "请填写 `ssl_ca`(PEM,相对于项目目录)并使用证书中的主机名;或设 `use_ssl = false`",
        ),
    ),
    code(
        "HL-5032",
        ("one statement gives too many rows", "一条语句返回的数据过多"),
        (
            "the rows of a statement that reads no pages are in memory together, and these are more than 256 MiB",
            "不分页的语句会一次性读入内存,而该结果超过 256 MiB",
        ),
        (
            "read in pages: add ORDER BY a unique column and LIMIT :limit OFFSET :offset to `main_sql`",
            "请分页读取:在 `main_sql` 中按唯一列添加 ORDER BY,并添加 LIMIT :limit OFFSET :offset",
        ),
    ),
    code(
        "HL-5034",
        ("a column would round the value", "列会对该值取近似"),
        (
            "SQLite keeps a number with more than 15 digits as floating point, unless it is an integer of 64 bits; the record fails instead",
            "SQLite 会把超过 15 位的数字保存为浮点数(64 位整数除外);为避免失真,该数据记为失败",
        ),
        ("declare the column as TEXT, then `heliu retry`", "请将该列声明为 TEXT,然后执行 `heliu retry`"),
    ),
    code(
        "HL-5035",
        ("the database does not know the plan's time zone", "数据库不认识方案的时区"),
        (
            "a TIMESTAMP column keeps an instant, and a time without zone is read in the session's zone; a zone whose clocks change is known by name only, from tables that have to be filled. Nothing was written, rather than times that are hours off",
            "TIMESTAMP 列保存的是时刻,不带时区的时间按会话时区解释;有夏令时的时区只能按名称识别,需先加载时区表。为避免写入相差数小时的时间,未写入任何数据",
        ),
        (
            "fill its time zone tables (mariadb-tzinfo-to-sql, mysql_tzinfo_to_sql), or make the columns DATETIME, which keeps times as they are written",
            "请加载其时区表(mariadb-tzinfo-to-sql、mysql_tzinfo_to_sql),或将这些列改为 DATETIME(按原样保存)",
        ),
    ),
    code(
        "HL-5040",
        ("the plan cannot be written for", "该方案不能接收数据"),
        (
            "a data write names a plan whose source is not the `callback` interface of this ledger",
            "数据写入指定的方案,其来源不是本台账的 `callback` 接口",
        ),
        (
            "give the receiving plan a source with platform `heliu`, api `callback`, and `id` and `number`",
            "请将接收方案的来源设为平台 `heliu`、api `callback`,并设置 `id` 与 `number`",
        ),
    ),
    code(
        "HL-5041",
        ("the receiving plan cannot take a record", "接收方案无法接收该数据"),
        (
            "what the request renders lacks the field that the receiving plan's `id` names",
            "request 渲染的结果缺少接收方案 `id` 指定的字段",
        ),
        (
            "add the field to the request, or correct the receiving plan's `id`",
            "请在 request 中添加该字段,或修正接收方案的 `id`",
        ),
    ),
    code(
        "HL-5090",
        ("a database task ended abnormally", "数据库任务异常结束"),
        ("a defect, or the program was stopped", "程序缺陷,或程序被停止"),
        ("run again; if it comes back, report it with the log", "请重新运行;若再次出现,请附日志反馈"),
    ),
];
