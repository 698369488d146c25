import { render } from 'preact'
import { keptTheme, openPage } from './page/open-page.ts'
import './styles/base.css'
import './styles/layout.css'
import './styles/ask.css'
import './styles/run.css'
import './styles/log.css'
import { App } from './ui/app.tsx'

const theme = keptTheme()
if (theme !== undefined) document.documentElement.dataset['theme'] = theme
const root = document.querySelector('#app')
if (root) render(<App />, root)
void openPage()
