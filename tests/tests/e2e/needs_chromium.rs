//! The chat page in a real browser.
//!
//! Not run where there is no Chromium, and said so; with `CI=true` that is a failure.

use sluice_tests::{Browser, FakeProvider, Gateway, Page, Proxy, Script, Setup, not_run};

/// Opens the page as `cargo sluice up` links to it, and waits until it is connected.
async fn opened(browser: &Browser, gateway: &Gateway, address: &str) -> Page {
    let token = gateway.token("alice");
    let mut page = browser.open(&format!("http://{address}/chatbox/#token={token}")).await;
    page.until("document.querySelector('#status').dataset.state === 'on'").await;
    page
}

/// What the conversation on show says, a line a message.
const SAID: &str =
    "[...document.querySelectorAll('#log .words')].map((words) => words.textContent).join('|')";

async fn shows(page: &mut Page, said: &str) {
    page.until(&format!("{SAID} === {said:?}")).await;
}

async fn browser() -> Option<Browser> {
    match Browser::start().await {
        Ok(browser) => Some(browser),
        Err(why) => {
            not_run("the chat page in a browser", &why);
            None
        }
    }
}

#[tokio::test]
async fn a_visitor_types_and_watches_the_answer_grow() {
    let Some(browser) = browser().await else { return };
    let provider =
        FakeProvider::playing(Script::halting(&["Once ", "<b>upon</b> ", "a time."])).await;
    let gateway = Setup::with(&provider).start().await;
    let mut page = opened(&browser, &gateway, gateway.address()).await;

    page.type_line("Tell me a story").await;
    shows(&mut page, "Tell me a story|").await;
    provider.release(1);
    shows(&mut page, "Tell me a story|Once ").await;
    provider.release(1);
    shows(&mut page, "Tell me a story|Once <b>upon</b> ").await;
    let busy = page.evaluate("!document.querySelector('#stop').hidden").await;
    provider.release(1);
    shows(&mut page, "Tell me a story|Once <b>upon</b> a time.").await;
    page.until("document.querySelector('#stop').hidden").await;

    assert_eq!(busy, true, "while it is answered, there is a way to stop it");
    assert_eq!(page.evaluate("location.hash").await, "", "the token does not stay in the address");
    assert_eq!(page.evaluate("document.querySelector('#picker').hidden").await, true);
    assert_eq!(page.complaints, [] as [String; 0]);
}

#[tokio::test]
async fn stop_ends_the_answer_and_the_chat_goes_on() {
    let Some(browser) = browser().await else { return };
    let provider = FakeProvider::playing(Script::halting(&["Once ", "never"])).await;
    let gateway = Setup::with(&provider).start().await;
    let mut page = opened(&browser, &gateway, gateway.address()).await;
    page.type_line("Tell me a story").await;
    provider.release(1);
    shows(&mut page, "Tell me a story|Once ").await;

    page.click("#stop").await;
    page.until("document.querySelector('#log .end:last-child')?.textContent !== undefined && [...document.querySelectorAll('#log .end')].at(-1).textContent === 'stopped'").await;
    provider.hung_up(1).await;
    page.click("#text").await;
    page.type_line("Another").await;

    shows(&mut page, "Tell me a story|Once |Another|Hello there.").await;
    assert_eq!(page.complaints, [] as [String; 0]);
}

#[tokio::test]
async fn a_dropped_connection_loses_and_doubles_nothing() {
    let Some(browser) = browser().await else { return };
    let provider = FakeProvider::playing(Script::halting(&["Once ", "upon ", "a ", "time."])).await;
    let gateway = Setup::with(&provider).set("SLUICE_SERVER__ALLOWED_ORIGINS", "*").start().await;
    let wire = Proxy::to(gateway.address()).await;
    let mut page = opened(&browser, &gateway, wire.address()).await;
    page.type_line("Tell me a story").await;
    provider.release(2);
    shows(&mut page, "Tell me a story|Once upon ").await;

    wire.cut();
    provider.release(1);
    page.until("document.querySelector('#status').dataset.state === 'busy'").await;
    page.until("document.querySelector('#status').dataset.state === 'on'").await;
    provider.release(1);

    shows(&mut page, "Tell me a story|Once upon a time.").await;
    page.until("document.querySelector('#stop').hidden").await;
}

#[tokio::test]
async fn a_reload_brings_the_conversation_back() {
    let Some(browser) = browser().await else { return };
    let provider = FakeProvider::start().await;
    provider.then(Script::saying(&["First."]));
    provider.then(Script::halting(&["Once ", "upon."]));
    let gateway = Setup::with(&provider).start().await;
    let mut page = opened(&browser, &gateway, gateway.address()).await;
    page.type_line("One").await;
    shows(&mut page, "One|First.").await;
    page.type_line("Two").await;
    provider.release(1);
    shows(&mut page, "One|First.|Two|Once ").await;

    page.reload().await;
    shows(&mut page, "One|First.|Two|Once ").await;
    provider.release(1);

    shows(&mut page, "One|First.|Two|Once upon.").await;
    assert_eq!(page.complaints, [] as [String; 0]);
}

#[tokio::test]
async fn a_restart_of_the_gateway_is_survived() {
    let Some(browser) = browser().await else { return };
    let provider = FakeProvider::start().await;
    let mut gateway = Setup::with(&provider).start().await;
    let mut page = opened(&browser, &gateway, gateway.address()).await;
    page.type_line("One").await;
    shows(&mut page, "One|Hello there.").await;
    // Of an answer that has not ended a kill may take the last words.
    page.until("document.querySelector('#stop').hidden").await;

    gateway.kill().await;
    page.until("document.querySelector('#status').dataset.state === 'busy'").await;
    gateway.start_again_there().await;
    page.until("document.querySelector('#status').dataset.state === 'on'").await;
    page.type_line("Two").await;

    shows(&mut page, "One|Hello there.|Two|Hello there.").await;
}

#[tokio::test]
async fn a_failed_answer_is_told_and_can_be_tried_again() {
    let Some(browser) = browser().await else { return };
    let provider = FakeProvider::playing(Script::cut(&["Half"])).await;
    let gateway = Setup::with(&provider).start().await;
    let mut page = opened(&browser, &gateway, gateway.address()).await;

    page.type_line("Tell me").await;
    page.until("document.querySelector('#log .failed button')").await;
    page.click("#log .failed button").await;

    page.until(&format!("{SAID}.endsWith('Hello there.')")).await;
    assert_eq!(page.complaints, [] as [String; 0]);
}

#[tokio::test]
async fn a_model_is_picked_where_there_is_a_choice() {
    let Some(browser) = browser().await else { return };
    let (one, two) = (FakeProvider::start().await, FakeProvider::start().await);
    two.always(Script::saying(&["I am two."]));
    let gateway = Setup::new().and("one", &one).and("two", &two).start().await;
    let mut page = opened(&browser, &gateway, gateway.address()).await;

    page.until("!document.querySelector('#picker').hidden").await;
    page.evaluate(
        "(() => { const m = document.querySelector('#model'); m.value = 'two'; m.dispatchEvent(new Event('change')); document.querySelector('#text').focus(); })()",
    )
    .await;
    page.type_line("Who?").await;

    shows(&mut page, "Who?|I am two.").await;
}

#[tokio::test]
async fn an_expired_link_says_so_and_does_not_try_for_ever() {
    let Some(browser) = browser().await else { return };
    let gateway = Setup::new().start().await;
    let header = serde_json::json!({ "alg": "HS256" });
    let claims = sluice_tests::expiring_in("alice", -3_600);
    let token = sluice_tests::mint(&header, &claims, gateway.setup().secret());
    let address = gateway.address();

    let mut page = browser.open(&format!("http://{address}/chatbox/#token={token}")).await;

    page.until("document.querySelector('#status').textContent.includes('expired')").await;
    assert_eq!(page.evaluate("document.querySelector('#status').dataset.state").await, "off");
}
