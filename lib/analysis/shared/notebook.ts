/** What every notebook calls. Each analysis exports it again, so that a notebook imports its analysis alone. */
export { run, runAll } from '../../experiments/run';
export { saveFigure, show } from '../../report/figure';
export { openNotebook } from '../../report/notebook';
export { predictionRows } from '../../report/predictions';
export { notebookObserver } from '../../report/progress';
export { showTable } from '../../report/table';
export { showVerdict } from '../../report/verdict';
