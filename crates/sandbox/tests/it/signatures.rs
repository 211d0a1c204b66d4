use heliu_sandbox::{Credentials, Sandbox, Verdict, sign};
use serde_json::Value;

use crate::client::{FORM, encode, send};

struct Vector {
    id: String,
    secret: String,
    params: Vec<(String, String)>,
    sign: String,
    body: String,
}

fn vectors() -> Vec<Vector> {
    let all: Vec<Value> =
        serde_json::from_str(include_str!("../data/jushuitan-signatures.json")).expect("vectors");
    let text = |v: &Value| v.as_str().expect("text").to_owned();
    all.iter()
        .map(|v| Vector {
            id: text(&v["id"]),
            secret: text(&v["secret"]),
            params: v["params"]
                .as_object()
                .expect("params")
                .iter()
                .map(|(k, v)| (k.clone(), text(v)))
                .collect(),
            sign: text(&v["sign"]),
            body: text(&v["body"]),
        })
        .collect()
}

impl Vector {
    fn get(&self, name: &str) -> &str {
        self.params.iter().find(|(k, _)| k == name).map_or("", |(_, v)| v)
    }

    /// A stand-in that knows this vector's application and stands at its time.
    async fn stand_in(&self) -> Sandbox {
        let seconds: i64 = self.get("timestamp").parse().expect("seconds");
        let clock =
            heliu_sandbox::ManualClock::new(chrono::DateTime::from_timestamp(seconds, 0).expect("time"));
        let or = |text: &str, other: &str| if text.is_empty() { other.to_owned() } else { text.to_owned() };
        Sandbox::builder("jushuitan")
            .credentials(Credentials {
                app_key: self.get("app_key").to_owned(),
                app_secret: self.secret.clone(),
                access_token: or(self.get("access_token"), "a"),
                refresh_token: or(self.get("refresh_token"), "r"),
            })
            .limits(0, 0)
            .records(12)
            .clock(clock)
            .listen("127.0.0.1:0")
            .await
            .expect("listen")
    }

    fn path(&self) -> &'static str {
        match self.get("grant_type") {
            "refresh_token" => "/openWeb/auth/refreshToken",
            "authorization_code" => "/openWeb/auth/getInitToken",
            _ => "/open/shops/query",
        }
    }
}

#[tokio::test]
async fn published_signatures_are_accepted() {
    let all = vectors();
    assert_eq!(all.len(), 9);
    for v in all {
        let own = sign(&v.secret, v.params.iter().map(|(k, v)| (k.as_str(), v.as_str())));
        assert_eq!(own, v.sign, "{}", v.id);
        let sandbox = v.stand_in().await;
        let reply = send(&sandbox, "POST", v.path(), FORM, &v.body).await.expect("reply");
        assert_eq!(reply.code(), 0, "{}: {}", v.id, reply.json());
        assert_eq!(sandbox.log()[0].verdict, Verdict::Served, "{}", v.id);
    }
}

#[tokio::test]
async fn near_misses_are_refused() {
    for v in vectors() {
        let sandbox = v.stand_in().await;
        let digest = |text: String| {
            use md5::{Digest, Md5};
            hex::encode(Md5::digest(text))
        };
        let mut sorted: Vec<_> = v.params.iter().filter(|(_, v)| !v.is_empty()).collect();
        sorted.sort();
        let joined: String = sorted.iter().map(|(k, v)| format!("{k}{v}")).collect();
        let arrived: String = v.params.iter().map(|(k, v)| format!("{k}{v}")).collect();
        let escaped: String = sorted
            .iter()
            .map(|(k, v)| format!("{k}{}", form_urlencoded::byte_serialize(v.as_bytes()).collect::<String>()))
            .collect();
        let pairs = sorted.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join("&");
        let s = &v.secret;
        let misses = [
            ("upper case", v.sign.to_uppercase()),
            ("secret on both sides", digest(format!("{s}{joined}{s}"))),
            ("secret behind", digest(format!("{joined}{s}"))),
            ("no secret", digest(joined.clone())),
            ("arrival order", digest(format!("{s}{arrived}"))),
            ("url-encoded values", digest(format!("{s}{escaped}"))),
            ("equals and ampersands", digest(format!("{s}{pairs}"))),
            ("cut short", v.sign[..31].to_owned()),
            ("blank around", format!(" {}", v.sign)),
            ("empty", String::new()),
        ];
        for (name, wrong) in misses {
            if wrong == v.sign {
                continue; // this vector has nothing to encode or is sorted already
            }
            let fields: Vec<_> = v.params.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
            let right = encode(s, &fields);
            let (body, _) = right.rsplit_once("sign=").expect("sign");
            let wrong: String = form_urlencoded::byte_serialize(wrong.as_bytes()).collect();
            let reply =
                send(&sandbox, "POST", v.path(), FORM, &format!("{body}sign={wrong}")).await.expect("reply");
            let code = if name == "empty" { 130 } else { 10 };
            assert_eq!(reply.code(), code, "{}: {name}", v.id);
        }
    }
}

#[tokio::test]
async fn the_signature_covers_every_byte_of_biz() {
    let all = vectors();
    let v = all.iter().find(|v| v.id == "jst2-shops-query").expect("vector");
    let sandbox = v.stand_in().await;
    for (from, to) in [("%3A1%2C", "%3A2%2C"), ("%3A1%2C", "%3A+1%2C"), ("charset=utf-8", "charset=UTF-8")] {
        let changed = v.body.replacen(from, to, 1);
        assert_ne!(changed, v.body);
        assert_eq!(send(&sandbox, "POST", v.path(), FORM, &changed).await.expect("reply").code(), 10, "{to}");
    }
    let lenient = Sandbox::builder("jushuitan")
        .credentials(sandbox.credentials())
        .clock(heliu_sandbox::Clock::from_fn(|| {
            chrono::DateTime::from_timestamp(1_767_225_600, 0).unwrap_or_default()
        }))
        .lenient_sign(true)
        .listen("127.0.0.1:0")
        .await
        .expect("listen");
    let upper = v.body.replace(&v.sign, &v.sign.to_uppercase());
    assert_eq!(send(&lenient, "POST", v.path(), FORM, &upper).await.expect("reply").code(), 0);
}
