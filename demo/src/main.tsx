import { options, render } from 'preact'
import { keptTheme, openPage } from './page/open-page.ts'
import './styles/base.css'
import './styles/layout.css'
import './styles/ask.css'
import './styles/run.css'
import './styles/log.css'
import { App } from './ui/app.tsx'

const theme = keptTheme()
if (theme !== undefined) document.documentElement.dataset['theme'] = theme
// Once a frame at most, however many entries a run adds meanwhile; who looks elsewhere is shown all when they come back.
options.debounceRendering = (update) => void requestAnimationFrame(() => update())
const root = document.querySelector('#app')
if (root) render(<App />, root)
void openPage()
