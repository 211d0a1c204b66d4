//! Certificates of a private authority: trusted only when the connector names it, and never more than it says.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::json;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::harness::{Answer, Project, number};
use crate::stub::{Reply, Stub};

const KEY: &str = "tok-77c1d09be2f4a6";

/// An authority: its certificate as PEM, and what signs.
pub fn authority() -> (String, Issuer<'static, KeyPair>) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    (pem, Issuer::new(params, key))
}

/// A server for `localhost` with a certificate of the authority.
pub fn acceptor(by: &Issuer<'static, KeyPair>, change: impl Fn(&mut CertificateParams)) -> TlsAcceptor {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    let cert = params.signed_by(&key, by).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

async fn bills(tls: TlsAcceptor) -> Stub {
    Stub::over(Some(tls), |_| Reply::json(&json!([{"id": "1"}, {"id": "2"}]))).await
}

fn project(url: &str, ca: Option<&str>) -> Project {
    let p = Project::new();
    let ca = ca.map(|file| format!("ssl_ca = \"{file}\"\n")).unwrap_or_default();
    p.write(
        "connectors/from.toml",
        &format!("platform = \"http\"\nbase_url = \"{url}\"\nauth = \"bearer\"\n{ca}[credentials]\naccess_token = \"{KEY}\"\n"),
    );
    p.write("connectors/to.toml", "platform = \"heliu\"\n");
    p.plan(
        "bills",
        &json!({"source": {"connector": "from", "metadata": {"api": "/bills", "method": "GET", "id": "id", "number": "id"}},
                "target": {"connector": "to", "metadata": {"api": "空操作"}}}),
    );
    p
}

/// Refused at once, with the reason and the next step, before anything was sent.
async fn refused(stub: &Stub, p: &Project, said: &[&str]) {
    for command in [&["run", "bills"][..], &["test-connector", "from"]] {
        let a: Answer = p.run(command).await.exits(3);
        assert!(a.err.contains("HL-3009") || a.out.contains("HL-3009"), "{a:?}");
        for words in said {
            assert!(a.err.contains(words) || a.out.contains(words), "{words}: {a:?}");
        }
        assert!(!a.err.contains(KEY) && !a.out.contains(KEY), "{a:?}");
    }
    assert_eq!(stub.calls(), 0, "something was sent: {:?}", stub.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_authority_is_trusted_when_the_connector_names_it() {
    let (pem, by) = authority();
    let stub = bills(acceptor(&by, |_| {})).await;
    refused(&stub, &project(&stub.url, None), &["no authority that is trusted here signed it", "`ssl_ca`"])
        .await;
    // Another authority than the one that signed.
    let p = project(&stub.url, Some("ca.pem"));
    p.write("ca.pem", &authority().0);
    refused(&stub, &p, &["no authority that is trusted here signed it"]).await;
    // Its own, among others.
    p.write("ca.pem", &format!("{}{pem}", authority().0));
    p.run(&["check"]).await.exits(0);
    p.run(&["test-connector", "from"]).await.exits(0);
    let run = p.run(&["run", "bills", "--json"]).await.exits(0).json();
    assert_eq!(number(&run, "/target/written"), 2);
    let bearer = format!("Bearer {KEY}");
    assert!(stub.log().iter().all(|s| s.header("authorization") == Some(&bearer)), "{:?}", stub.log());
    let kept = p.run(&["calls", "bills", "--json"]).await.exits(0);
    assert!(!kept.out.contains(KEY));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_certificate_is_not_mended_by_its_authority() {
    let (pem, by) = authority();
    let stub = bills(acceptor(&by, |_| {})).await;
    let p = project(&stub.url.replace("localhost", "127.0.0.1"), Some("ca.pem"));
    p.write("ca.pem", &pem);
    refused(&stub, &p, &["it is not for this host name", "`base_url`"]).await;

    let old = bills(acceptor(&by, |c| c.not_after = rcgen::date_time_ymd(2020, 1, 1))).await;
    let p = project(&old.url, Some("ca.pem"));
    p.write("ca.pem", &pem);
    refused(&old, &p, &["it has expired"]).await;

    let early = bills(acceptor(&by, |c| c.not_before = rcgen::date_time_ymd(2090, 1, 1))).await;
    let p = project(&early.url, Some("ca.pem"));
    p.write("ca.pem", &pem);
    refused(&early, &p, &["it is not valid yet"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_without_a_certificate_is_a_fault_of_the_connector() {
    let (pem, by) = authority();
    let stub = bills(acceptor(&by, |_| {})).await;
    let p = project(&stub.url, Some("ca.pem"));
    let key = KeyPair::generate().unwrap().serialize_pem();
    let torn = pem.replace("MII", "MIX");
    for (content, said) in [
        (None, "cannot be read"),
        (Some(""), "holds no certificate"),
        (Some("no certificate at all"), "holds no certificate"),
        (Some(key.as_str()), "holds no certificate"),
        (Some(torn.as_str()), "holds no certificate"),
    ] {
        if let Some(text) = content {
            p.write("ca.pem", text);
        }
        for command in [&["check"][..], &["run", "bills"], &["test-connector", "from"]] {
            let a = p.run(command).await.exits(2);
            let all = format!("{}{}", a.out, a.err);
            assert!(
                all.contains("HL-1094") && all.contains(said) && all.contains("connectors/from.toml"),
                "{a:?}"
            );
            assert!(all.contains("ssl_ca") && !all.contains(KEY), "{a:?}");
        }
    }
    assert_eq!(stub.calls(), 0);
}
