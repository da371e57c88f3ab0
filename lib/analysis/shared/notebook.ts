/** What every notebook calls. Each analysis exports it again, so that a notebook imports its analysis alone. */
export { run, runAll } from '../../experiments/run';
export { saveFigure, show, showFigure } from '../../report/figure';
export { openNotebook, showAnswer, showRun } from '../../report/notebook';
export { predictionRows, showPredictions } from '../../report/predictions';
export { notebookObserver } from '../../report/progress';
export { showFolded, showTable } from '../../report/table';
export { showVerdict } from '../../report/verdict';
