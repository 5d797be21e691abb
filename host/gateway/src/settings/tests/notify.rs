//! Telling people: what is taken, and what is wrong with the rest.

use sluice_mail::Security;

use super::*;

fn mailing() -> Configuration {
    Configuration::working()
        .variable("SMTP_HOST", "mail.example.com")
        .variable("EMAIL_FROM", "sluice@example.com")
        .variable("ADMIN_EMAILS", "ops@example.com, night@example.com")
}

#[test]
fn the_names_from_before_are_enough_for_mail() {
    let notify = mailing().variable("SMTP_USER", "u").variable("SMTP_PASS", "p");
    let notify = notify.load().expect("taken").0.notify;

    let mail = notify.mail.expect("a way by mail");
    assert_eq!((mail.host.as_str(), mail.port), ("mail.example.com", 587));
    assert_eq!(mail.security, Security::StartTls);
    assert_eq!(mail.to, ["ops@example.com", "night@example.com"]);
    assert!(mail.login.is_some());
    assert_eq!(notify.events.help_request, ["mail"]);
    assert_eq!(notify.events.alarm, ["mail"]);
}

#[test]
fn a_connection_is_secured_by_port_and_place() {
    for (host, port, security) in [
        ("mail.example.com", "465", Security::Tls),
        ("mail.example.com", "25", Security::StartTls),
        ("mail.internal", "25", Security::StartTls),
        ("localhost", "1025", Security::Plain),
        ("127.0.0.1", "1025", Security::Plain),
        ("::1", "465", Security::Tls),
    ] {
        let load = mailing().variable("SMTP_HOST", host).variable("SMTP_PORT", port);
        let mail = load.load().expect("taken").0.notify.mail.expect("a way by mail");
        assert_eq!(mail.security, security, "{host}:{port}");
    }
    let plain = mailing().variable("SLUICE_NOTIFY__SMTP__SECURITY", "none");
    assert!(plain.load().is_err(), "to a host that may be anywhere");
}

#[test]
fn nobody_is_told_who_is_not_there() {
    for (event, channels) in
        [("HELP_REQUEST", "pager"), ("SOMETHING", "mail"), ("ALARM", "mail,mail2")]
    {
        let load = mailing().variable(&format!("SLUICE_NOTIFY__ON__{event}"), channels);
        assert!(load.load().is_err(), "{event}");
    }
    let nobody = Configuration::working().variable("SLUICE_NOTIFY__ON__ALARM", "mail");
    assert!(nobody.load().is_err(), "there is no mail");
    let none = mailing().variable("SLUICE_NOTIFY__ON__ALARM", ",");
    assert_eq!(none.load().expect("taken").0.notify.events.alarm, [] as [String; 0]);
    let wrong = mailing().variable("ADMIN_EMAILS", "ops");
    assert!(wrong.load().is_err(), "that is no address");
}
