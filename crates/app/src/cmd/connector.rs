//! `test-connector`, `token`, `secret`.

use std::io::{IsTerminal, Read};

use heliu_model::ports::{Clock, Ledger, Tokens};
use heliu_model::{Failure, Lang, Secret, text};
use serde_json::json;

use crate::args::SecretAction;
use crate::output::Done;
use crate::wire::App;

/// `heliu test-connector`
pub async fn test(app: &App, name: &str) -> Done {
    let ledger = app.ledger()?;
    let registry = app.registry()?;
    let spec = app.usable(&registry, Some(&ledger), name).await?;
    let exchange = registry.test_connection(&spec, &app.ports(&ledger)).await;
    let calls = exchange.calls.len();
    // Tests are calls like others: kept, masked, to be looked at.
    ledger.save_calls(None, exchange.calls, 0, 0).await?;
    let words = exchange.result?;
    if app.out.json {
        app.out
            .value(&json!({"connector": name, "ok": true, "calls": calls, "message": app.out.say(&words)}));
    } else {
        app.out.line(&format!("{name}: {}", app.out.say(&words)));
    }
    Ok(0)
}

/// `heliu token`
pub async fn token(app: &App, name: &str, refresh: bool) -> Done {
    let ledger = app.ledger()?;
    let registry = app.registry()?;
    let spec = app.usable(&registry, Some(&ledger), name).await?;
    let account = match registry.manifest(&spec.platform) {
        Some(_) => Some(registry.account(&spec, &app.ports(&ledger))?),
        None => None,
    };
    let tz = registry.timezone(&spec);
    let state = match &account {
        Some(account) if refresh => {
            let exchange = account.refresh_now().await;
            ledger.save_calls(None, exchange.calls, 0, 0).await?;
            exchange.result?
        }
        Some(account) => account.token_state().await?,
        None => None,
    };
    let (Some(account), Some(row)) = (&account, state) else {
        let t = text!("`{name}` needs no token", "`{name}` 不需要令牌");
        if app.out.json {
            app.out.value(&json!({"connector": name, "token": null, "message": app.out.say(&t)}));
        } else {
            app.out.line(&app.out.say(&t));
        }
        return Ok(0);
    };
    let history = ledger.history(account.key(), 20).await?;
    let now = app.clock.now();
    let left = row.pair.expires_at.map(|t| (t.0 - now.0) / 1000);
    let state = match (row.needs_authorisation, row.broken_refresh.is_some(), left) {
        (true, _, _) => "needs_authorisation",
        (_, true, _) => "broken_refresh",
        (_, _, Some(s)) if s <= 0 => "expired",
        _ if row.pair.access.is_empty() => "missing",
        _ => "valid",
    };
    if app.out.json {
        app.out.value(&json!({
            "connector": name,
            "token": {
                "state": state,
                "generation": row.generation,
                "stored_at": row.stored_at.rfc3339(tz),
                "expires_at": row.pair.expires_at.map(|t| t.rfc3339(tz)),
                "has_refresh_token": row.pair.refresh.is_some(),
            },
            "history": history.iter().map(|e| json!({
                "at": e.at.rfc3339(tz), "event": e.event, "by": e.by, "detail": e.detail,
                "expires_at": e.expires_at.map(|t| t.rfc3339(tz)),
            })).collect::<Vec<_>>(),
        }));
        return Ok(u8::from(row.needs_authorisation));
    }
    let zh = app.out.lang == Lang::Zh;
    let word = match (state, zh) {
        ("needs_authorisation", true) => "需要重新授权",
        ("broken_refresh", true) => "上次刷新未完成",
        ("expired", true) => "已过期",
        ("missing", true) => "缺失",
        (_, true) => "有效",
        ("needs_authorisation", false) => "needs authorisation",
        ("broken_refresh", false) => "a refresh never finished",
        (w, false) => w,
    };
    let until = row.pair.expires_at.map_or_else(
        || (if zh { "有效期未知" } else { "expiry unknown" }).to_owned(),
        |t| format!("{} {}", if zh { "有效期至" } else { "until" }, t.rfc3339(tz)),
    );
    app.out.line(&format!(
        "{name}: {word}, {until}, {} {}",
        if zh { "第" } else { "generation" },
        row.generation
    ));
    let rows: Vec<Vec<String>> = history
        .iter()
        .map(|e| vec![e.at.local(tz), e.event.clone(), e.by.clone(), e.detail.clone()])
        .collect();
    if !rows.is_empty() {
        let head: &[&str] =
            if zh { &["时间", "事件", "由", "说明"] } else { &["TIME", "EVENT", "BY", "DETAIL"] };
        app.out.table(head, &rows);
    }
    Ok(u8::from(row.needs_authorisation))
}

/// `heliu secret`
pub async fn secret(app: &App, action: SecretAction) -> Done {
    let ledger = app.ledger()?;
    match action {
        SecretAction::Set { name } => {
            let mut words = String::new();
            if std::io::stdin().is_terminal() {
                let prompt = app.out.say(&text!("secret `{name}`: ", "机密 `{name}`:"));
                words = rpassword::prompt_password(prompt).map_err(unreadable)?;
            } else {
                std::io::stdin().read_to_string(&mut words).map_err(unreadable)?;
            }
            let words = words.trim_end_matches(['\n', '\r']);
            if words.is_empty() {
                return Err(Failure::config("HL-8017", text!("the secret is empty", "机密为空"))
                    .hint(text!("give its text on standard input", "请从标准输入提供内容"))
                    .into());
            }
            ledger.set_secret(&name, &Secret::new(words), app.clock.now()).await?;
            if app.out.json {
                app.out.value(&json!({"secret": name, "set": true}));
            } else {
                app.out.line(&app.out.say(&text!(
                    "secret `{name}` is sealed; connectors name it as {{ secret = \"{name}\" }}",
                    "机密 `{name}` 已封存;在连接器中写作 {{ secret = \"{name}\" }}"
                )));
            }
        }
        SecretAction::List => {
            let list = ledger.secrets().await?;
            let tz = chrono_tz::Asia::Shanghai;
            if app.out.json {
                for s in &list {
                    app.out.value(&json!({"name": s.name, "stored_at": s.stored_at.rfc3339(tz)}));
                }
            } else {
                for s in &list {
                    app.out.line(&format!("{}  {}", s.name, s.stored_at.local(tz)));
                }
            }
        }
        SecretAction::Rotate => {
            let rotated = ledger.rotate_key(app.clock.now()).await?;
            let (secrets, tokens) = (rotated.secrets, rotated.tokens);
            if app.out.json {
                app.out.value(&json!({"rotated": true, "secrets": secrets, "tokens": tokens}));
            } else {
                app.out.line(&app.out.say(&text!(
                    "{secrets} secrets and {tokens} tokens are sealed with a new key; the old one opens nothing any more",
                    "已用新密钥重新封存 {secrets} 个机密与 {tokens} 个令牌;旧密钥不再有效"
                )));
                let next = if std::env::var_os("HELIU_KEY").is_some() {
                    text!(
                        "set HELIU_KEY to the text of HELIU_NEW_KEY now, for every process of this project, and start them again",
                        "请立即将 HELIU_KEY 改为 HELIU_NEW_KEY 的内容(本项目的所有进程),并重新启动"
                    )
                } else {
                    text!(
                        "back up the file `key` of the data directory; processes that are running take it by themselves",
                        "请备份数据目录中的 `key` 文件;正在运行的进程会自动改用新密钥"
                    )
                };
                app.out.line(&app.out.say(&next));
            }
        }
        SecretAction::Rm { name } => {
            let gone = ledger.remove_secret(&name).await?;
            if !gone {
                return Err(Failure::config(
                    "HL-8017",
                    text!("there is no secret `{name}`", "没有机密 `{name}`"),
                )
                .hint(text!("`heliu secret list` names them", "`heliu secret list` 可列出名称"))
                .into());
            }
            if app.out.json {
                app.out.value(&json!({"secret": name, "removed": true}));
            } else {
                app.out.line(&app.out.say(&text!("secret `{name}` is gone", "机密 `{name}` 已删除")));
            }
        }
    }
    Ok(0)
}

fn unreadable(e: std::io::Error) -> Failure {
    let why = e.to_string();
    Failure::config("HL-8017", text!("standard input cannot be read: {why}", "标准输入无法读取:{why}"))
}
