//! Looking without moving records: how a request would look, and the platform's cheapest call.

use std::collections::BTreeMap;

use heliu_model::call::Exchange;
use heliu_model::{CallKind, Failure, Secret, text};
use heliu_transform::Map;

use super::account::{Account, Ask};
use super::encode::Setting;
use super::mask::MASK;
use super::outcome::Reading;

impl Account {
    /// How a request would look, secrets masked.
    pub(crate) fn preview(&self, ask: &Ask) -> Result<heliu_model::ports::Prepared, Failure> {
        let hidden = Secret::new(MASK);
        let none = BTreeMap::new();
        let set =
            Setting { call: &ask.route.call, token: Some(&hidden), refresh: Some(&hidden), addresses: &none };
        let wire = self.encode(ask, &set)?;
        let mask = self.mask(None);
        let body = String::from_utf8_lossy(&wire.body).into_owned();
        Ok(heliu_model::ports::Prepared {
            method: wire.method,
            url: mask.text(&wire.url),
            headers: wire.headers.iter().map(|(k, v)| (k.clone(), mask.header(k, v))).collect(),
            body: mask.text(&body),
        })
    }

    /// The platform's cheapest call; without one, the base address is asked.
    pub(crate) async fn test(&self, kind: CallKind) -> Exchange<heliu_model::Text> {
        let test = &self.manifest.form.test;
        let (method, name, params) = match test {
            Some(t) => (
                t.method.clone().unwrap_or_else(|| "POST".into()),
                t.api.clone(),
                crate::registry::params_of(t),
            ),
            None => ("GET".to_owned(), "/".to_owned(), Map::new()),
        };
        let route = self.route(&name);
        let reading = Reading::new(&route.reply, None, None, false, self.manifest.timezone);
        let ask = Ask::new(kind, &method, route.path.clone(), params, route);
        let exchange = self.ask(&ask, &reading).await;
        let result = match exchange.result {
            Ok(_) => Ok(text!(
                "the platform answered: address, signature and token are right",
                "平台已响应:地址、签名与令牌均正确"
            )),
            // Without a known test call, any answer shows that the address is right.
            Err(f) if test.is_none() && matches!(f.code.as_str(), "HL-3032" | "HL-3010" | "HL-3012") => Ok(
                text!("the address answers; what it says at `/` is no JSON", "地址可达;`/` 的响应不是 JSON"),
            ),
            Err(f) => Err(f),
        };
        Exchange { calls: exchange.calls, result }
    }
}
