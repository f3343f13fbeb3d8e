import { useQuery, useQueryClient } from "@tanstack/react-query"
import { useState } from "react"
import { beginFactor, confirmFactor, endFactor, factorQuery, type Secret } from "../../api/totp"
import { Button } from "../../ui/Button"
import { Form } from "../../ui/Form"
import { Notice, Trouble } from "../../ui/Notice"
import { Qr } from "../../ui/Qr"
import { words } from "../../words/words"
import { CodeField, PasswordField } from "./fields"
import styles from "./SecondFactor.module.css"

const said = words.account.factor

/** Turning one's second factor on, step by step, and off. */
export function SecondFactor() {
  const { data, error } = useQuery(factorQuery)
  const queries = useQueryClient()
  const [secret, setSecret] = useState<Secret | null>(null)
  const [codes, setCodes] = useState<readonly string[] | null>(null)
  const [ended, setEnded] = useState(false)
  const look = () => queries.invalidateQueries(factorQuery)

  if (codes) return <Kept codes={codes} done={() => setCodes(null)} />
  if (secret) {
    const confirmed = async (code: string) => {
      setCodes(await confirmFactor(code))
      setSecret(null)
      await look()
    }
    return <Confirming secret={secret} confirm={confirmed} />
  }
  if (error) return <Trouble error={error} />
  if (!data) return null
  if (data.enabled) {
    const end = async (code: string, password: string) => {
      await endFactor(code, password)
      setEnded(true)
      await look()
    }
    return <Ending left={data.recovery_codes_left} end={end} />
  }
  return (
    <>
      {ended && <Notice>{said.turnedOff}</Notice>}
      {data.required && <Notice>{said.required}</Notice>}
      <p>{said.off}</p>
      <Form key="begin" submit={said.begin} act={async ({ password = "" }) => setSecret(await beginFactor(password))}>
        {problem => <PasswordField problem={problem} kind="current" />}
      </Form>
    </>
  )
}

function Confirming({ secret, confirm }: { secret: Secret; confirm: (code: string) => Promise<void> }) {
  return (
    <>
      <p>{said.scan}</p>
      <Qr className={styles["qr"]} address={secret.otpauth_uri} title={said.qr} />
      <p>
        {said.key}: <code className={styles["key"]}>{secret.secret}</code>
      </p>
      <p>
        <a href={secret.otpauth_uri}>{said.open}</a>
      </p>
      <Form key="confirm" submit={said.confirm} act={({ code = "" }) => confirm(code)}>
        {problem => <CodeField problem={problem} name="code" label={said.code} hint={said.codeHint} />}
      </Form>
    </>
  )
}

function Kept({ codes, done }: { codes: readonly string[]; done: () => void }) {
  return (
    <>
      <Notice>{said.keep}</Notice>
      <ul className={styles["codes"]}>
        {codes.map(code => (
          <li key={code}>
            <code>{code}</code>
          </li>
        ))}
      </ul>
      <Button look="primary" onClick={done}>
        {said.kept}
      </Button>
    </>
  )
}

function Ending({ left, end }: { left: number; end: (code: string, password: string) => Promise<void> }) {
  return (
    <>
      <p>{said.on(left)}</p>
      <Form key="end" submit={said.turnOff} act={({ code = "", password = "" }) => end(code, password)}>
        {problem => (
          <>
            <CodeField problem={problem} name="code" label={said.codeOrRecovery} />
            <PasswordField problem={problem} kind="current" />
          </>
        )}
      </Form>
    </>
  )
}
