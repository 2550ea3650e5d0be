//! The live view on a terminal: takes the screen, reads keys, gives the screen back.

use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tokio::time;

use super::super::failure::Failure;
use super::super::io::Screen;
use super::super::run;
use super::cast::Cast;
use super::view::View;
use super::{Arguments, REFRESH, poll, screen};
use crate::api::backend::Backend;

/// How soon a key is answered.
const KEYS: Duration = Duration::from_millis(50);

/// What a key asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Wish {
    Quit,
    Pause,
    /// Kill the node of that number.
    Kill(u8),
    Nothing,
}

/// Shows the picture until the person quits, or its time is over.
pub(super) async fn show(
    view: View,
    at_work: (&dyn Backend, Cast),
    arguments: &Arguments,
    screen: Screen,
) -> Result<View, Failure> {
    let mut terminal = ratatui::try_init()?;
    let shown = watch(&mut terminal, view, at_work, (arguments, screen)).await;
    // Whatever happened, the person gets the screen back.
    ratatui::try_restore()?;
    shown
}

async fn watch(
    terminal: &mut DefaultTerminal,
    mut view: View,
    (backend, mut cast): (&dyn Backend, Cast),
    (arguments, screen): (&Arguments, Screen),
) -> Result<View, Failure> {
    let mut ticks = time::interval(REFRESH);
    let mut keys = time::interval(KEYS);
    let begun = ticks.tick().await;
    let mut asked = Box::pin(run::interrupted());
    loop {
        tokio::select! {
            asked = &mut asked => return asked.map(|()| view).map_err(Failure::from),
            now = ticks.tick() => {
                let elapsed = now.duration_since(begun);
                if arguments.seconds.is_some_and(|seconds| elapsed.as_secs() >= seconds.get()) {
                    return Ok(view);
                }
                cast.kill_when_due(elapsed);
                refresh(&mut view, elapsed, backend).await;
            }
            _ = keys.tick() => match wish()? {
                None => continue,
                Some(Wish::Quit) => return Ok(view),
                Some(Wish::Pause) => view.is_paused = !view.is_paused,
                Some(Wish::Kill(number)) => drop(cast.kill(number)),
                Some(Wish::Nothing) => {}
            },
        }
        view.down = cast.down();
        terminal.draw(|frame| screen::render(&view, screen, frame))?;
    }
}

async fn refresh(view: &mut View, elapsed: Duration, backend: &dyn Backend) {
    if view.is_paused {
        return;
    }
    match poll::read(backend).await {
        Ok(reading) => view.take(elapsed, reading),
        Err(problem) => view.miss(problem.to_string()),
    }
}

/// The wish behind the next event; `None` where nothing happened.
fn wish() -> std::io::Result<Option<Wish>> {
    if !event::poll(Duration::ZERO)? {
        return Ok(None);
    }
    Ok(Some(match event::read()? {
        Event::Key(key) if key.kind != KeyEventKind::Release => meaning(key),
        // A changed size needs a new picture, and nothing else.
        Event::Key(_)
        | Event::Resize(..)
        | Event::Mouse(_)
        | Event::Paste(_)
        | Event::FocusGained
        | Event::FocusLost => Wish::Nothing,
    }))
}

fn meaning(key: KeyEvent) -> Wish {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    if control && matches!(key.code, KeyCode::Char('c' | 'd'))
        || matches!(key.code, KeyCode::Char('q' | 'Q') | KeyCode::Esc)
    {
        return Wish::Quit;
    }
    let KeyCode::Char(character) = key.code else { return Wish::Nothing };
    if character == ' ' {
        return Wish::Pause;
    }
    let number = character.to_digit(10).and_then(|number| u8::try_from(number).ok());
    number.map_or(Wish::Nothing, Wish::Kill)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_mean_what_the_footer_says() {
        let plain = |code| meaning(KeyEvent::new(code, KeyModifiers::NONE));
        assert_eq!(plain(KeyCode::Char('q')), Wish::Quit);
        assert_eq!(plain(KeyCode::Char(' ')), Wish::Pause);
        assert_eq!(plain(KeyCode::Char('3')), Wish::Kill(3));
        assert_eq!(plain(KeyCode::Char('c')), Wish::Nothing);
        // The terminal is in raw mode: Ctrl-C comes as a key, not as a signal.
        let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(meaning(interrupt), Wish::Quit);
    }
}
