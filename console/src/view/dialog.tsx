import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'

/** A window over the page: the browser keeps the focus in it, Esc leaves it. */
export function Dialog(props: { name: string; onLeave: () => void; children: ComponentChildren }) {
  const element = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    const dialog = element.current
    if (dialog !== null && !dialog.open) dialog.showModal()
    return () => dialog?.close()
  }, [])
  return (
    <dialog ref={element} aria-label={props.name} onClose={props.onLeave}>
      {props.children}
    </dialog>
  )
}
