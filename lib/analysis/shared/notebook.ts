/** What every notebook calls. Each analysis exports it again, so that a notebook imports its analysis alone. */
export { run, runAll } from '../../experiments/run';
export { showFigure } from '../../report/figure';
export { openNotebook, showAnswer, showHeadlines, showRun } from '../../report/notebook';
export { showPredictions } from '../../report/predictions';
export { notebookObserver } from '../../report/progress';
export { showFolded, showTable } from '../../report/table';
export { showVerdict } from '../../report/verdict';
