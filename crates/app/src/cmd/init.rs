//! `init`: a new project directory with commented examples.

use std::path::Path;

use heliu_model::{Failure, text};
use serde_json::json;

use crate::output::{Done, Out};

const SETTINGS: &str = r#"# Settings of this project; every key is optional. 本项目的设置,均可省略。

[ledger]
# path = ".heliu"            # directory of the ledger 台账目录
# synchronous = "normal"     # "full" syncs every commit to disk 每次提交都落盘

[retention]
# calls_days = 30            # calls 调用保留天数
# calls_mib = 2048           # and the size of their bodies 及正文大小上限
# records_days = 365         # contents of written records; unwritten ones stay 已写入数据的内容;未写入的永远保留
# every = "6h"               # between two rounds 两轮清理的间隔
# [retention.plans]
# shops = "forever"          # days, or "forever", for one plan 单个方案的天数,或 "forever"

[alerts]
# webhook = { env = "ALERT_WEBHOOK" }   # JSON; 钉钉 and 企业微信 robots are known by their address 按地址识别钉钉与企业微信机器人
# late = "15m"               # a tick that waits longer is an alert 触发等待超过此时长即告警
# lang = "zh"                # language of messages 消息语言
# [[alerts.webhooks]]        # more addresses; `secret` signs 更多地址;`secret` 用于加签
# name = "ops"
# url = { secret = "ding-url" }
# secret = { secret = "ding-sign" }
# [alerts.mail]              # alerts by mail 邮件告警
# host = "smtp.example.com"
# username = "ops@example.com"
# password = { secret = "mail" }
# from = "heliu <ops@example.com>"
# to = ["it@example.com"]
"#;

const JUSHUITAN: &str = r#"# 聚水潭开放平台. `heliu platforms jushuitan` lists credentials and interfaces.
# To try it without an account: `heliu sandbox jushuitan` prints a file like this one.
platform = "jushuitan"
# base_url = "http://127.0.0.1:8801"

[credentials]
# Values can be given here, or as { env = "NAME" }, { secret = "name" } (see `heliu secret set`), { file = "path" }.
app_key       = { env = "JST_APP_KEY" }
app_secret    = { env = "JST_APP_SECRET" }
access_token  = { env = "JST_ACCESS_TOKEN" }
refresh_token = { env = "JST_REFRESH_TOKEN" }

# [limits]                   # default: what the platform publishes 默认取平台公布的限额
# requests_per_second = 5
# requests_per_minute = 100
"#;

const BI: &str = r#"# An embedded database. For MySQL: platform = "mysql", dsn = "mysql://user:password@host:3306/bi".
# The table must exist already:
#   sqlite3 bi.db 'CREATE TABLE shop (shop_id INTEGER PRIMARY KEY, shop_name TEXT, nick TEXT, created TEXT)'
platform = "sqlite"
path = "bi.db"
"#;

const PLAN: &str = r#"{
  "name": "聚水潭-店铺-->BI-店铺表",
  "description": "shops of 聚水潭 into a table; source and target metadata are the vendor's, verbatim",
  "schedule": "0 */5 * * * ?",
  "start": "2024-01-01 00:00:00",
  "source": {
    "connector": "jushuitan",
    "metadata": {
      "api": "/open/shops/query",
      "method": "POST",
      "number": "shop_name",
      "id": "shop_id",
      "pagination": { "pageSize": 100 },
      "idCheck": true,
      "request": [
        { "field": "page_index", "label": "页码", "type": "string", "value": "{PAGINATION_START_PAGE}" },
        { "field": "page_size", "label": "每页行数", "type": "string", "value": "{PAGINATION_PAGE_SIZE}" }
      ]
    }
  },
  "target": {
    "connector": "bi",
    "metadata": {
      "api": "batchexecute",
      "effect": "EXECUTE",
      "method": "POST",
      "idCheck": true,
      "request": [
        { "field": "shop_id", "label": "店铺编号", "type": "string", "value": "{shop_id}" },
        { "field": "shop_name", "label": "店铺名称", "type": "string", "value": "{shop_name}" },
        { "field": "nick", "label": "主账号", "type": "string", "value": "{nick}" },
        { "field": "created", "label": "创建时间", "type": "string", "value": "{created}" }
      ],
      "otherRequest": [
        { "field": "main_sql", "type": "string", "value": "REPLACE INTO shop (shop_id, shop_name, nick, created) VALUES" },
        { "field": "limit", "type": "string", "value": "1000" }
      ]
    }
  }
}
"#;

const FILES: &[(&str, &str)] = &[
    ("heliu.toml", SETTINGS),
    ("connectors/jushuitan.toml", JUSHUITAN),
    ("connectors/bi.toml", BI),
    ("plans/shops.json", PLAN),
    (".gitignore", ".heliu/\n*.db\n"),
];

/// `heliu init`
pub fn init(out: &Out, dir: &Path) -> Done {
    let mut made = Vec::new();
    let mut kept = Vec::new();
    for (name, content) in FILES {
        let path = dir.join(name);
        if path.exists() {
            kept.push(*name);
            continue;
        }
        let write = || -> std::io::Result<()> {
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            std::fs::write(&path, content)
        };
        write().map_err(|e| {
            let why = e.to_string();
            Failure::config("HL-1015", text!("the file cannot be written: {why}", "文件无法写入:{why}"))
                .at(path.display().to_string())
                .hint(text!("choose a directory that this user may write to", "请选择当前用户可写的目录"))
        })?;
        made.push(*name);
    }
    if out.json {
        out.value(&json!({"dir": dir.display().to_string(), "made": made, "kept": kept}));
        return Ok(0);
    }
    for name in &made {
        out.line(&format!("+ {}", dir.join(name).display()));
    }
    for name in &kept {
        let shown = dir.join(name).display().to_string();
        out.hint(&text!("{shown} is there already and stays as it is", "{shown} 已存在,保持不变"));
    }
    out.hint(&text!(
        "next: put credentials into connectors/jushuitan.toml (or start `heliu sandbox jushuitan`), then `heliu check` and `heliu run shops`",
        "下一步:在 connectors/jushuitan.toml 中填写凭证(或启动 `heliu sandbox jushuitan`),然后 `heliu check`、`heliu run shops`"
    ));
    Ok(0)
}
