use heliu_connect::manifest::{Manifest, schema};
use heliu_connect::{Registry, rehearse};

fn built_in() -> Vec<(String, String)> {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../../platforms");
    let mut out: Vec<(String, String)> = std::fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .map(|p| {
            (p.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(&p).unwrap())
        })
        .collect();
    out.sort();
    out
}

#[test]
fn every_built_in_manifest_is_right_and_known() {
    let registry = Registry::new(&[]).unwrap_or_else(|p| panic!("{p:#?}"));
    for (file, text) in built_in() {
        let m = Manifest::read(&text, &file).unwrap_or_else(|p| panic!("{file}: {p:#?}"));
        assert_eq!(format!("{}.toml", m.name()), file);
        assert!(registry.manifest(m.name()).is_some(), "{file} is not embedded");
        for c in &m.form.credentials {
            assert!(!c.title.en.is_empty() && !c.title.zh.is_empty(), "{file}: {}", c.name);
        }
        for a in &m.form.apis {
            assert!(!a.title.en.is_empty() && !a.title.zh.is_empty(), "{file}: {}", a.path);
        }
        for c in &m.form.reply.codes {
            assert!(!c.en.is_empty() && !c.zh.is_empty(), "{file}: {c:?}");
        }
    }
}

#[test]
fn names_and_credentials_are_those_of_the_contract() {
    let registry = Registry::new(&[]).unwrap();
    let wanted: &[(&str, &[&str], &[&str])] = &[
        ("jushuitan", &["聚水潭"], &["app_key", "app_secret", "access_token", "refresh_token"]),
        ("kuaimai", &["快麦"], &["app_key", "app_secret", "access_token", "refresh_token", "sign_method"]),
        (
            "okki",
            &["小满", "xiaoman"],
            &["client_id", "client_secret", "access_token", "refresh_token", "username", "password"],
        ),
        (
            "kingdee",
            &["金蝶云星空", "k3cloud"],
            &["acct_id", "user_name", "app_id", "app_secret", "lcid", "org_num", "auth"],
        ),
        ("yonyou", &["用友BIP", "yonbip"], &["app_key", "app_secret", "tenant_id"]),
        ("dingtalk", &["钉钉"], &["app_key", "app_secret", "webhook", "secret"]),
        ("wecom", &["企业微信"], &["corp_id", "corp_secret", "webhook"]),
        ("qeasy-open", &["轻易云开放接口"], &["app_key", "app_secret", "token"]),
        ("http", &[], &["auth", "key", "username", "password", "token", "client_id", "client_secret"]),
    ];
    for (name, aliases, credentials) in wanted {
        for alias in *aliases {
            assert_eq!(registry.canonical(alias).unwrap(), *name);
        }
        let m = registry.manifest(name).unwrap();
        for c in *credentials {
            assert!(m.form.credentials.iter().any(|x| x.name == *c), "{name}: {c}");
        }
    }
}

#[test]
fn recorded_replies_are_read_as_they_say() {
    let mut count = 0;
    for (file, text) in built_in() {
        let m = Manifest::read(&text, &file).unwrap();
        for r in rehearse(&m) {
            assert!(r.differs.is_empty(), "{file} {} «{}»: {:?}", r.api, r.name, r.differs);
            count += 1;
        }
    }
    assert!(count > 40, "{count}");
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let text = r#"
name = "x"
titel = { en = "x" }
[request]
encodin = "form"
headers = { A = "{{ credential.b }}" }
[[apis]]
path = "/a"
max_page_sise = 5
"#;
    let problems = Manifest::read(text, "platforms/x.toml").unwrap_err();
    let places: Vec<&str> = problems.iter().map(|p| p.path.as_str()).collect();
    assert_eq!(places, ["titel", "request.encodin", "apis[0].max_page_sise"]);
    assert!(problems.iter().all(|p| p.file == "platforms/x.toml" && p.code == "HL-1042"));
    let hints: Vec<&str> = problems.iter().map(|p| p.hint.en.as_str()).collect();
    assert_eq!(hints, ["did you mean `title`?", "did you mean `encoding`?", "did you mean `max_page_size`?"]);
    let text = r#"
name = "x"
[request]
headers = { A = "{{ credential.b }}", B = "{{ now | nothing }}" }
sign = { field = "s", by = "method", methods = { a = "{{ fields | sorted_pairs" } }
body = { a = "$parms" }
[[reply.codes]]
code = "1"
class = "throtled"
[[apis]]
path = "/a"
variant = "old"
"#;
    let problems = Manifest::read(text, "x.toml").unwrap_err();
    let said: Vec<String> = problems.iter().map(|p| format!("{}: {}", p.path, p.message.en)).collect();
    for (place, words) in [
        ("request.headers.A", "did you mean `credentials`?"),
        ("request.sign.methods.a", ""),
        ("request.sign.by", "no credential `method`"),
        ("request.body.a", "did you mean `$params`?"),
        ("reply.codes[0].class", "unknown class"),
        ("apis[0].variant", "no variant `old`"),
    ] {
        assert!(said.iter().any(|s| s.starts_with(place) && s.contains(words)), "{place} {words}: {said:#?}");
    }
}

#[test]
fn the_schema_knows_every_key() {
    let schema = schema();
    let known = |path: &str| {
        let mut at = &schema;
        for part in path.split('.') {
            while let Some(r) = at.get("$ref").and_then(|r| r.as_str()) {
                at = schema.pointer(r.trim_start_matches('#')).unwrap();
            }
            if let Some(one) = at.get("anyOf").and_then(|a| a.get(0)) {
                at = one;
                while let Some(r) = at.get("$ref").and_then(|r| r.as_str()) {
                    at = schema.pointer(r.trim_start_matches('#')).unwrap();
                }
            }
            at = if part == "[]" { &at["items"] } else { &at["properties"][part] };
        }
        !at.is_null()
    };
    for path in
        ["name", "request.sign", "token.reply.access", "apis.[].batch.failed.list", "reply.codes.[].until"]
    {
        assert!(known(path), "{path}");
    }
}
