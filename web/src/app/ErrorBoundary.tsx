import { Component, type ReactNode } from "react"
import { Button } from "../ui/Button"
import { Page } from "../ui/Page"
import { words } from "../words/words"

interface Props {
  readonly children: ReactNode
  /** Load the page again by itself after so many milliseconds. */
  readonly again?: number
}

/** Shows plain words in the place of what has crashed. Give it a key that changes with the address: a new chance. */
export class ErrorBoundary extends Component<Props, { failed: boolean }> {
  override state = { failed: false }

  static getDerivedStateFromError(): { failed: boolean } {
    return { failed: true }
  }

  override componentDidCatch(): void {
    if (this.props.again !== undefined) setTimeout(() => location.reload(), this.props.again)
  }

  override render(): ReactNode {
    if (!this.state.failed) return this.props.children
    return (
      <Page title={words.trouble.broken} narrow>
        <p>{words.trouble.brokenText}</p>
        <Button onClick={() => location.reload()}>{words.trouble.reload}</Button>
      </Page>
    )
  }
}
