//! Templates of manifests on minijinja, with the filters that signatures need.

use base64::Engine as _;
use hmac::{Hmac, Mac};
use md5::{Digest, Md5};
use minijinja::value::{Value, ViaDeserialize};
use minijinja::{Environment, Error, ErrorKind};
use sha2::Sha256;

/// Compiled templates by name.
#[derive(Debug)]
pub(crate) struct Templates(Environment<'static>);

impl Templates {
    /// Compiles all templates of a manifest.
    pub fn compile(named: &[(String, String)]) -> Result<Templates, String> {
        let mut env = Environment::new();
        env.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
        env.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        env.set_keep_trailing_newline(true);
        env.set_recursion_limit(50);
        env.add_filter("sorted_pairs", sorted_pairs);
        env.add_filter("md5", |s: String| hex::encode(Md5::digest(s)));
        env.add_filter("sha1", |s: String| hex::encode(sha1::Sha1::digest(s)));
        env.add_filter("sha256", |s: String| hex::encode(Sha256::digest(s)));
        env.add_filter("hmac_md5", |s: String, key: String| mac_hex::<Hmac<Md5>>(&key, &s));
        env.add_filter("hmac_sha256", |s: String, key: String| mac_hex::<Hmac<Sha256>>(&key, &s));
        env.add_filter("base64", |s: String| base64::engine::general_purpose::STANDARD.encode(s));
        env.add_filter("hex_to_base64", |s: String| {
            hex::decode(&s)
                .map(|b| base64::engine::general_purpose::STANDARD.encode(b))
                .map_err(|e| Error::new(ErrorKind::InvalidOperation, e.to_string()))
        });
        env.add_filter("urlencode", |s: String| {
            form_urlencoded::byte_serialize(s.as_bytes()).collect::<String>()
        });
        for (name, source) in named {
            env.add_template_owned(name.clone(), source.clone()).map_err(|e| format!("{name}: {e:#}"))?;
        }
        Ok(Templates(env))
    }

    /// Renders one template.
    pub fn render(&self, name: &str, context: &Value) -> Result<String, String> {
        self.0.get_template(name).and_then(|t| t.render(context)).map_err(|e| format!("{name}: {e:#}"))
    }
}

/// Name and value pairs, sorted by name in ASCII order, empty values left out, put together without separators.
fn sorted_pairs(pairs: ViaDeserialize<Vec<(String, String)>>) -> String {
    let mut pairs: Vec<&(String, String)> = pairs.iter().filter(|(_, v)| !v.is_empty()).collect();
    pairs.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
    let mut out = String::new();
    for (k, v) in pairs {
        out.push_str(k);
        out.push_str(v);
    }
    out
}

fn mac_hex<M: Mac + hmac::digest::KeyInit>(key: &str, text: &str) -> Result<String, Error> {
    let mut mac = <M as Mac>::new_from_slice(key.as_bytes())
        .map_err(|e| Error::new(ErrorKind::InvalidOperation, e.to_string()))?;
    mac.update(text.as_bytes());
    Ok(hex::encode(mac.finalize().into_bytes()))
}
