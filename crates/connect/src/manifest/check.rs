//! What is wrong with a manifest, all of it at once: unknown keys with the nearest known ones, names that stand for
//! nothing, rules that cannot work.

use heliu_model::{Problem, text};
use serde_json::Value;

use super::Manifest;
use super::form::{Form, SignRule, Style};

const CLASSES: &[&str] =
    &["ok", "still_valid", "auth", "throttled", "transient", "lost", "clock", "data", "config"];

/// The JSON schema of manifests, for editors.
pub fn schema() -> Value {
    schemars::schema_for!(Form).to_value()
}

pub(super) fn bad(path: &str, en: &str, zh: &str) -> Problem {
    Problem::error("HL-1040", path, heliu_model::Text { en: en.to_owned(), zh: zh.to_owned() })
}

/// Reads the TOML text.
pub(super) fn form(source: &str, file: &str) -> Result<Form, Vec<Problem>> {
    let why = match toml::from_str::<Form>(source) {
        Ok(form) => return Ok(form),
        Err(e) => e,
    };
    let mut problems = Vec::new();
    // The reader stops at the first unknown key; the schema knows them all.
    if let Ok(tree) = toml::from_str::<Value>(source) {
        let schema = schema();
        walk(&tree, &schema, &schema, String::new(), &mut problems);
    }
    if problems.is_empty() {
        let said = why.to_string();
        let said = said.trim();
        problems.push(bad("", said, said).hint(text!(
            "the reference of the manifest language lists every key; `heliu platforms new NAME` writes a skeleton",
            "清单语言参考列出了所有的键;`heliu platforms new 名称` 会生成骨架"
        )));
    }
    for p in &mut problems {
        p.file = file.to_owned();
    }
    Err(problems)
}

/// Follows `$ref` and the first object alternative.
fn resolve<'a>(schema: &'a Value, root: &'a Value) -> &'a Value {
    let mut at = schema;
    for _ in 0..8 {
        if let Some(reference) = at.get("$ref").and_then(Value::as_str) {
            match root.pointer(reference.trim_start_matches('#')) {
                Some(next) => at = next,
                None => return at,
            }
            continue;
        }
        let options = at.get("anyOf").or_else(|| at.get("oneOf")).and_then(Value::as_array);
        match options.and_then(|o| o.iter().find(|s| s.get("type").and_then(Value::as_str) != Some("null"))) {
            Some(only)
                if options.is_some_and(|o| {
                    o.len() == 2 && o.iter().any(|s| s.get("type").and_then(Value::as_str) == Some("null"))
                }) =>
            {
                at = only
            }
            _ => return at,
        }
    }
    at
}

fn walk(tree: &Value, schema: &Value, root: &Value, path: String, problems: &mut Vec<Problem>) {
    let schema = resolve(schema, root);
    match tree {
        Value::Object(map) => {
            let Some(known) = schema.get("properties").and_then(Value::as_object) else { return };
            for (key, inner) in map {
                let at = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                match known.get(key) {
                    Some(next) => walk(inner, next, root, at, problems),
                    None => {
                        let p =
                            Problem::error("HL-1042", at, text!("unknown key `{key}`", "未知的键 `{key}`"));
                        let all = known.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                        problems.push(
                            match heliu_transform::nearest(key, known.keys().map(String::as_str)) {
                                Some(near) => p.hint(text!("did you mean `{near}`?", "是否为 `{near}`?")),
                                None => p.hint(text!("known here are {all}", "此处可用的键:{all}")),
                            },
                        );
                    }
                }
            }
        }
        Value::Array(list) => {
            let Some(items) = schema.get("items") else { return };
            for (i, inner) in list.iter().enumerate() {
                walk(inner, items, root, format!("{path}[{i}]"), problems);
            }
        }
        _ => {}
    }
}

/// Names that stand for nothing, and rules that cannot work.
pub(super) fn names(m: &Manifest, problems: &mut Vec<Problem>) {
    let f = &m.form;
    if f.name.is_empty() {
        problems.push(bad("name", "the platform has no name", "平台没有名称"));
    }
    for (place, why) in &m.templates.problems {
        problems.push(bad(place, why, why));
    }
    let credentials: Vec<&str> = f.credentials.iter().map(|c| c.name.as_str()).collect();
    let mut credential = |name: &str, place: String| {
        if name.is_empty() || credentials.contains(&name) {
            return;
        }
        let near = heliu_transform::nearest(name, credentials.iter().copied()).unwrap_or("-");
        problems.push(
            Problem::error("HL-1043", place, text!("there is no credential `{name}`", "没有凭证 `{name}`"))
                .hint(text!(
                    "nearest is `{near}`; declare it under [[credentials]]",
                    "最接近的是 `{near}`;请在 [[credentials]] 中声明"
                )),
        );
    };
    if let Some(t) = &f.token {
        credential(t.access.as_deref().unwrap_or(""), "token.access".into());
        credential(t.refresh.as_deref().unwrap_or(""), "token.refresh".into());
        t.when.keys().for_each(|k| credential(k, format!("token.when.{k}")));
    }
    for (i, v) in f.variants.iter().enumerate() {
        v.when.keys().for_each(|k| credential(k, format!("variants[{i}].when.{k}")));
    }
    for (i, c) in f.credentials.iter().enumerate() {
        c.unless.iter().for_each(|u| credential(u, format!("credentials[{i}].unless")));
    }
    if let Some(SignRule::Own(s)) = &f.request.sign {
        credential(s.by.as_deref().unwrap_or(""), "request.sign.by".into());
    }
    let all: Vec<(String, &Option<SignRule>)> = std::iter::once(("request.sign".to_owned(), &f.request.sign))
        .chain(
            f.variants
                .iter()
                .enumerate()
                .map(|(i, v)| (format!("variants[{i}].request.sign"), &v.request.sign)),
        )
        .collect();
    for (place, rule) in all {
        match rule {
            Some(SignRule::Own(s)) if s.template.is_none() && (s.by.is_none() || s.methods.is_empty()) => {
                problems.push(bad(
                    &place,
                    "a signature needs `template`, or `by` with `methods`",
                    "签名需要 `template`,或 `by` 与 `methods`",
                ))
            }
            Some(SignRule::Own(s)) if s.field.is_empty() => {
                problems.push(bad(
                    &place,
                    "`field` is missing: the name that carries the signature",
                    "缺少 `field`:携带签名的参数名",
                ));
            }
            Some(SignRule::Same(s)) if s != "request" || place == "request.sign" => {
                problems.push(bad(&place, "a rule, or \"request\"", "应为签名规则或 \"request\""));
            }
            _ => {}
        }
    }
    let variants = f
        .variants
        .iter()
        .enumerate()
        .filter_map(|(i, v)| Some((format!("variants[{i}].reply"), v.reply.as_ref()?)));
    for (place, r) in std::iter::once(("reply".to_owned(), &f.reply)).chain(variants) {
        for (n, c) in r.codes.iter().enumerate() {
            for class in std::iter::once(&c.class).chain(&c.writes) {
                if !CLASSES.contains(&class.as_str()) {
                    let near = heliu_transform::nearest(class, CLASSES.iter().copied()).unwrap_or("config");
                    problems.push(
                        bad(
                            &format!("{place}.codes[{n}].class"),
                            &format!("unknown class `{class}`"),
                            &format!("未知的类别 `{class}`"),
                        )
                        .hint(text!("did you mean `{near}`?", "是否为 `{near}`?")),
                    );
                }
            }
            if c.code.is_none() && c.text.is_none() && c.status.is_none() && c.body.is_none() {
                problems.push(bad(
                    &format!("{place}.codes[{n}]"),
                    "it names no answer: give code, text, status or body",
                    "未指明任何响应:请给出 code、text、status 或 body",
                ));
            }
            if let Some(e) = c.until.as_deref().and_then(|u| regex::Regex::new(u).err()) {
                problems.push(bad(&format!("{place}.codes[{n}].until"), &e.to_string(), &e.to_string()));
            }
        }
    }
    for (i, a) in f.apis.iter().enumerate() {
        let zone = a.window.as_ref().and_then(|w| w.timezone.as_deref());
        if let Some(z) = zone.filter(|z| z.parse::<chrono_tz::Tz>().is_err()) {
            let (en, zh) = (format!("`{z}` is no time zone"), format!("`{z}` 不是时区"));
            problems.push(bad(&format!("apis[{i}].window.timezone"), &en, &zh));
        }
        if let Some(v) = &a.variant
            && !f.variants.iter().any(|x| x.name == *v)
        {
            let near = heliu_transform::nearest(v, f.variants.iter().map(|x| x.name.as_str())).unwrap_or("-");
            problems.push(
                bad(
                    &format!("apis[{i}].variant"),
                    &format!("there is no variant `{v}`"),
                    &format!("没有变体 `{v}`"),
                )
                .hint(text!("nearest is `{near}`", "最接近的是 `{near}`")),
            );
        }
        for (what, name) in [
            ("detail", a.detail.as_ref().map(|d| d.api.as_str())),
            ("look_up", a.look_up.as_ref().map(|l| l.api.as_str())),
        ] {
            if let Some(name) = name
                && m.api(name).1.is_none()
                && !name.starts_with('/')
            {
                problems.push(bad(
                    &format!("apis[{i}].{what}.api"),
                    &format!("`{name}` is not in the catalogue"),
                    &format!("`{name}` 不在接口目录中"),
                ));
            }
        }
        let others = a.instead.iter().flat_map(|x| {
            let of = x.of.iter().map(|o| ("of", o));
            of.chain(x.named.iter().map(|n| ("named", n)))
        });
        for (list, (value, name)) in others {
            if m.api(name).1.is_none() {
                problems.push(bad(
                    &format!("apis[{i}].instead.{list}.{value}"),
                    &format!("`{name}` is not in the catalogue"),
                    &format!("`{name}` 不在接口目录中"),
                ));
            }
        }
        if let Some(json) = &a.metadata
            && let Err(e) = serde_json::from_str::<Value>(json)
        {
            problems.push(bad(
                &format!("apis[{i}].metadata"),
                &format!("no JSON: {e}"),
                &format!("不是 JSON:{e}"),
            ));
        }
        if a.paging.as_ref().is_some_and(|p| p.style == Style::Cursor && p.cursor.is_empty()) {
            problems.push(bad(
                &format!("apis[{i}].paging.cursor"),
                "the cursor style needs the name of the cursor field",
                "游标翻页需要给出游标字段名",
            ));
        }
    }
}

/// A commented manifest to begin with.
pub fn skeleton(name: &str) -> String {
    include_str!("skeleton.toml").replace("NAME", name)
}
